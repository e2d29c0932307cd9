// The launcher's section: one card per recipe that the server has.
import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { IDefaultFileBrowser } from '@jupyterlab/filebrowser';
import { ILauncher } from '@jupyterlab/launcher';
import { NotebookActions, type NotebookPanel } from '@jupyterlab/notebook';
import { ITranslator, nullTranslator, type TranslationBundle } from '@jupyterlab/translation';

import { ask, Refusal, speak, type Recipe } from './api';
import { kerasllmIcon } from './icons';
import { complain } from './messages';

const ELSEWHERE =
  "The server lives in another environment than this extension, without kerasllm. There: pip install 'kerasllm[lab]', then start it again.";
const LACKING = "The kernel %1 lives in another environment, without kerasllm. In a cell: %pip install 'kerasllm[all]'";
const DIFFERENT = 'The kernel %1 has kerasllm %2, the server %3. In a cell: %pip install -U kerasllm';
const PANEL = 'kerasllm-panel'; // the tag of the cell to run at once

export const cards: JupyterFrontEndPlugin<void> = {
  id: 'kerasllm:cards',
  description: 'A launcher card per recipe.',
  autoStart: true,
  requires: [IDefaultFileBrowser],
  optional: [ILauncher, ITranslator],
  activate: async (
    app: JupyterFrontEnd,
    browser: IDefaultFileBrowser,
    launcher: ILauncher | null,
    translator: ITranslator | null
  ) => {
    speak(translator);
    const trans = (translator ?? nullTranslator).load('kerasllm');
    const command = 'kerasllm:new';
    app.commands.addCommand(command, {
      label: args => String(args.recipe ?? trans.__('New kerasllm notebook')),
      caption: args => String(args.summary ?? ''),
      icon: kerasllmIcon,
      execute: async args => {
        const folder = String(args.cwd ?? browser.model.path);
        try {
          const { path } = await ask<{ path: string }>('notebooks', 'POST', { recipe: args.recipe, folder });
          const panel: NotebookPanel = await app.commands.execute('docmanager:open', { path, factory: 'Notebook' });
          await panel.revealed;
          await panel.sessionContext.ready;
          await lookAtKernel(panel, version, trans);
          await runPanelCell(panel);
          return panel;
        } catch (error) {
          complain(error, trans);
        }
      }
    });
    let version = '';
    try {
      const answer = await ask<{ recipes: Recipe[]; version: string }>('recipes');
      version = answer.version;
      for (const [rank, recipe] of answer.recipes.entries()) {
        launcher?.add({ command, category: 'kerasllm', rank, args: { recipe: recipe.name, summary: recipe.summary } });
      }
    } catch (error) {
      const isElsewhere = error instanceof Refusal && error.status === 404;
      complain(isElsewhere ? new Error(trans.__(ELSEWHERE)) : error, trans);
    }
  }
};

/** A kernel of another environment may lack kerasllm, or have another one than the server. */
async function lookAtKernel(panel: NotebookPanel, version: string, trans: TranslationBundle): Promise<void> {
  const asked = panel.sessionContext.session?.kernel?.requestExecute({
    code: '',
    silent: true,
    store_history: false,
    user_expressions: { version: "__import__('importlib.metadata', fromlist=['version']).version('kerasllm')" }
  });
  const reply = (await asked?.done)?.content;
  const told = reply?.status === 'ok' ? (reply.user_expressions?.version as { status?: string; data?: object }) : null;
  const found = told?.status === 'ok' ? String(Object.values(told.data ?? {})[0]).replaceAll("'", '') : null;
  const name = panel.sessionContext.kernelDisplayName;
  if (told && found === null) {
    complain(new Error(trans.__(LACKING, name)), trans);
  } else if (found && found !== version) {
    complain(new Error(trans.__(DIFFERENT, name, found, version)), trans);
  }
}

async function runPanelCell(panel: NotebookPanel): Promise<void> {
  const place = panel.content.widgets.findIndex(cell =>
    ((cell.model.getMetadata('tags') as string[] | undefined) ?? []).includes(PANEL)
  );
  if (place < 0) {
    return;
  }
  panel.content.activeCellIndex = place;
  await NotebookActions.run(panel.content, panel.sessionContext);
}
