// The page's own Jupyter server, which stops a run of its folder at once, however busy the kernel is.

// Nothing is asked of it where the page is no Jupyter's; one without our extension answers 404, and this throws.
export async function stopByServer({ name, created }) {
  const page = document.getElementById("jupyter-config-data");
  if (!page) return;
  const server = JSON.parse(page.textContent).baseUrl.replace(/\/*$/, "");
  const token = /(?:^|; *)_xsrf=([^;]*)/.exec(document.cookie);
  const headers = token ? { "X-XSRFToken": token[1] } : {};
  const ask = (path, method) => fetch(`${server}/kerasllm/${path}`, { method, headers, mode: "same-origin" });
  const { runs } = await (await ask("runs", "GET")).json();
  // The kernel's runs may live elsewhere, and another run have this name here.
  if (runs.some((run) => run.name === name && run.created === created)) await ask(`runs/${encodeURIComponent(name)}/stop`, "POST");
}
