// The launcher's section: one card per recipe that the server has.
import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { IDefaultFileBrowser } from '@jupyterlab/filebrowser';
import { ILauncher } from '@jupyterlab/launcher';
import { NotebookActions, type NotebookPanel } from '@jupyterlab/notebook';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { ask, type Recipe } from './api';
import { kerasllmIcon } from './icons';
import { complain } from './messages';

const PANEL = 'kerasllm-panel'; // the tag of the cell to run at once

export const cards: JupyterFrontEndPlugin<void> = {
  id: 'kerasllm:cards',
  description: 'A launcher card per recipe.',
  autoStart: true,
  requires: [ILauncher, IDefaultFileBrowser],
  optional: [ITranslator],
  activate: async (
    app: JupyterFrontEnd,
    launcher: ILauncher,
    browser: IDefaultFileBrowser,
    translator: ITranslator | null
  ) => {
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
          await runPanelCell(panel);
          return panel;
        } catch (error) {
          complain(error, trans);
        }
      }
    });
    try {
      const language = translator?.languageCode ?? 'en';
      const { recipes } = await ask<{ recipes: Recipe[] }>(`recipes?language=${language}`);
      for (const [rank, recipe] of recipes.entries()) {
        launcher.add({ command, category: 'kerasllm', rank, args: { recipe: recipe.name, summary: recipe.summary } });
      }
    } catch (error) {
      complain(error, trans);
    }
  }
};

async function runPanelCell(panel: NotebookPanel): Promise<void> {
  await panel.revealed;
  await panel.sessionContext.ready;
  const place = panel.content.widgets.findIndex(cell =>
    ((cell.model.getMetadata('tags') as string[] | undefined) ?? []).includes(PANEL)
  );
  if (place < 0) {
    return;
  }
  panel.content.activeCellIndex = place;
  await NotebookActions.run(panel.content, panel.sessionContext);
}
