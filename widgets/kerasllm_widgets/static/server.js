// The page's own Jupyter server, which stops a run of its folder at once, however busy the kernel is.

const PATIENCE = 10000; // milliseconds

// Whether it was told to stop the run. Nothing is asked where the page is no Jupyter's; a server without our extension
// answers 404, and this throws.
export async function stopByServer({ name, created }) {
  const page = document.getElementById("jupyter-config-data");
  if (!page) return false;
  const server = JSON.parse(page.textContent).baseUrl.replace(/\/*$/, "");
  const token = /(?:^|; *)_xsrf=([^;]*)/.exec(document.cookie);
  const headers = token ? { "X-XSRFToken": token[1] } : {};
  const ask = (path, method) => fetch(`${server}/kerasllm/${path}`, { method, headers, mode: "same-origin", signal: AbortSignal.timeout(PATIENCE) });
  const { runs } = await (await ask("runs", "GET")).json();
  // The kernel's runs may live elsewhere, and another run have this name here.
  if (!runs.some((run) => run.name === name && run.created === created)) return false;
  return (await ask(`runs/${encodeURIComponent(name)}/stop`, "POST")).ok;
}
