// Starting background runs: from a file, from a recipe, from a notebook with a `parameters` cell.
import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ICommandPalette, InputDialog, Notification } from '@jupyterlab/apputils';
import { PathExt } from '@jupyterlab/coreutils';
import { IDefaultFileBrowser } from '@jupyterlab/filebrowser';
import { INotebookTracker, type NotebookPanel } from '@jupyterlab/notebook';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { ask, part, speak, type Recipe } from './api';
import { fill, type Form, type Values } from './form';
import { kerasllmIcon } from './icons';
import { complain, reason, SHOWN } from './messages';

export const train: JupyterFrontEndPlugin<void> = {
  id: 'kerasllm:train',
  description: 'Forms that start background runs.',
  autoStart: true,
  requires: [IDefaultFileBrowser, INotebookTracker],
  optional: [ICommandPalette, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    browser: IDefaultFileBrowser,
    notebooks: INotebookTracker,
    palette: ICommandPalette | null,
    translator: ITranslator | null
  ) => {
    speak(translator);
    const trans = (translator ?? nullTranslator).load('kerasllm');
    const { commands } = app;

    /** Show a form until it is accepted by the server, then tell of the run. */
    const start = async (form: Form, title: string, what: object): Promise<void> => {
      const send = (filled: Values) => ask<{ name: string }>('runs', 'POST', { ...what, values: filled });
      const run = await fill(form, title, send, error => reason(error, trans), trans);
      if (run) {
        const open = () => void commands.execute('kerasllm:open-runs', { names: [run.name] });
        Notification.info(trans.__('%1 is queued.', run.name), {
          actions: [{ label: trans.__('Open view'), callback: open }],
          autoClose: SHOWN
        });
        await commands.execute('kerasllm:show-runs');
      }
    };
    const told = (work: (path: string) => Promise<void>) => async (path: string) => {
      try {
        await work(path);
      } catch (error) {
        complain(error, trans);
      }
    };
    const trainOn = told(async path => {
      const data = path && `?data=${part(path)}`;
      const { recipes } = await ask<{ recipes: Recipe[] }>(`recipes${data}`);
      if (recipes.length === 0) {
        throw new Error(trans.__('No recipe takes %1.', PathExt.basename(path)));
      }
      const { value } = await InputDialog.getItem({
        title: path ? trans.__('Train on %1', PathExt.basename(path)) : trans.__('Train a recipe'),
        label: trans.__('Recipe'),
        items: recipes.map(recipe => `${recipe.name}: ${recipe.summary}`),
        okLabel: trans.__('Next')
      });
      const recipe = value?.split(':')[0];
      if (recipe) {
        const form = await ask<Form>(`recipes/${part(recipe)}${data}`);
        await start(form, recipe, { source: recipe, folder: path ? PathExt.dirname(path) : browser.model.path });
      }
    });
    const runNotebook = told(async path => {
      const form = await ask<Form>(`notebooks?path=${part(path)}`);
      await start(form, PathExt.basename(path), { source: path });
    });
    const selected = () => browser.selectedItems().next().value?.path ?? '';

    commands.addCommand('kerasllm:train', {
      label: trans.__('Train a Recipe…'),
      icon: kerasllmIcon,
      execute: () => trainOn('')
    });
    commands.addCommand('kerasllm:train-on', {
      label: trans.__('Train on This…'),
      icon: kerasllmIcon,
      execute: args => trainOn(String(args.path ?? selected()))
    });
    commands.addCommand('kerasllm:run-notebook', {
      label: trans.__('Run with Parameters…'),
      caption: trans.__('Run this notebook in the background, with parameters from a form'),
      icon: kerasllmIcon,
      isEnabled: () => takesParameters(notebooks.currentWidget),
      execute: async () => {
        const panel = notebooks.currentWidget;
        if (panel?.context.model.dirty) {
          await panel.context.save(); // what runs is what is seen
        }
        await runNotebook(panel?.context.path ?? '');
      }
    });
    // A notebook gets its cells after its toolbar.
    notebooks.activeCellChanged.connect(() => commands.notifyCommandChanged('kerasllm:run-notebook'));
    commands.addCommand('kerasllm:run-file', {
      label: trans.__('Run with Parameters…'),
      icon: kerasllmIcon,
      execute: args => runNotebook(String(args.path ?? selected()))
    });
    for (const command of ['kerasllm:train', 'kerasllm:run-notebook']) {
      palette?.addItem({ command, category: 'kerasllm' });
    }
  }
};

function takesParameters(panel: NotebookPanel | null): boolean {
  const cells = panel?.content.widgets ?? [];
  return cells.some(cell => ((cell.model.getMetadata('tags') as string[] | undefined) ?? []).includes('parameters'));
}
