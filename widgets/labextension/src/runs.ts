// The runs: sidebar, views, commands, notifications.
import { ILabShell, ILayoutRestorer, type JupyterFrontEnd, type JupyterFrontEndPlugin } from '@jupyterlab/application';
import { Dialog, ICommandPalette, MainAreaWidget, Notification, showDialog, WidgetTracker } from '@jupyterlab/apputils';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { ask, part, speak } from './api';
import { kerasllmIcon } from './icons';
import { complain, SHOWN } from './messages';
import { RunsSidebar } from './sidebar';
import { RunsView } from './view';
import { Watcher, type Row } from './watcher';

export const runs: JupyterFrontEndPlugin<void> = {
  id: 'kerasllm:runs',
  description: 'The sidebar of runs, their views, and what is told of their ends.',
  autoStart: true,
  optional: [ISettingRegistry, ILabShell, ILayoutRestorer, ICommandPalette, ITranslator],
  activate: async (
    app: JupyterFrontEnd,
    registry: ISettingRegistry | null,
    labShell: ILabShell | null,
    restorer: ILayoutRestorer | null,
    palette: ICommandPalette | null,
    translator: ITranslator | null
  ) => {
    speak(translator);
    const trans = (translator ?? nullTranslator).load('kerasllm');
    const { commands, shell } = app;
    const watcher = new Watcher();
    const sidebar = new RunsSidebar(watcher, commands, trans);
    const tracker = new WidgetTracker<MainAreaWidget<RunsView>>({ namespace: 'kerasllm-views' });
    shell.add(sidebar, 'left', { rank: 300, type: 'Runs' });
    restorer?.add(sidebar, sidebar.id);

    commands.addCommand('kerasllm:show-runs', {
      label: trans.__('Show the runs of kerasllm'),
      icon: kerasllmIcon,
      execute: () => {
        setTimeout(() => shell.activateById(sidebar.id)); // after the palette, which hands the focus back
      }
    });
    palette?.addItem({ command: 'kerasllm:show-runs', category: 'kerasllm' });

    commands.addCommand('kerasllm:open-runs', {
      label: trans.__('Open runs'),
      execute: args => {
        const names = args.names as string[];
        const id = `kerasllm-view-${names.join(',')}`;
        let widget = tracker.find(one => one.id === id);
        if (!widget) {
          widget = new MainAreaWidget({ content: new RunsView(names, commands, trans) });
          widget.id = id;
          widget.title.label = names.length === 1 ? names[0] : trans.__('Compare');
          widget.title.caption = names.join(', ');
          widget.title.icon = kerasllmIcon;
          void tracker.add(widget);
          // The main area of Notebook 7 holds its notebook and nothing else; its side opens when the view is activated.
          shell.add(widget, labShell ? 'main' : 'right', { type: 'Run' });
        }
        shell.activateById(id);
        return widget;
      }
    });
    void restorer?.restore(tracker, {
      command: 'kerasllm:open-runs',
      args: widget => ({ names: widget.content.names }),
      name: widget => widget.content.names.join(',')
    });

    const act = (id: string, label: string, work: (name: string) => Promise<unknown>) => {
      const busy = new Set<string>(); // a second click of a double one asks for nothing more
      commands.addCommand(id, {
        label,
        execute: async args => {
          const name = String(args.name);
          if (busy.has(name)) {
            return;
          }
          busy.add(name);
          try {
            await work(name);
            await watcher.refresh();
          } catch (error) {
            complain(error, trans);
          } finally {
            busy.delete(name);
          }
        }
      });
    };
    act('kerasllm:stop', trans.__('Stop a run'), name => ask(`runs/${part(name)}/stop`, 'POST', {}));
    act('kerasllm:resume', trans.__('Resume a run'), name => ask(`runs/${part(name)}/resume`, 'POST', {}));
    act('kerasllm:delete', trans.__('Delete a run'), async name => {
      const answer = await showDialog({
        title: trans.__('Delete this run?'),
        body: trans.__('%1, with its model and notebook, goes to the trash.', name),
        buttons: [
          Dialog.cancelButton({ label: trans.__('Cancel') }),
          Dialog.warnButton({ label: trans.__('Delete') })
        ]
      });
      return answer.button.accept && ask(`runs/${part(name)}`, 'DELETE');
    });

    let isTold = true;
    watcher.ended.connect((_, row) => isTold && tell(row));
    const tell = (row: Row) => {
      const actions = [
        { label: trans.__('Open view'), callback: () => void commands.execute('kerasllm:open-runs', { names: [row.name] }) }
      ];
      if (row.state === 'completed' && row.message) {
        Notification.warning(trans.__('%1 is completed, but: %2', row.name, row.message), { actions, autoClose: false });
      } else if (row.state === 'completed') {
        Notification.success(trans.__('%1 is completed.', row.name), { actions, autoClose: SHOWN });
      } else if (row.state === 'stopped') {
        Notification.info(trans.__('%1 has stopped.', row.name), { actions, autoClose: SHOWN });
      } else {
        Notification.error(
          row.state === 'gone'
            ? trans.__('%1: its process is gone; resume it to go on.', row.name)
            : trans.__('%1 failed: %2', row.name, row.message),
          { actions, autoClose: false }
        );
      }
    };

    registry?.transform('kerasllm:runs', {
      fetch: plugin => {
        const { schema } = plugin;
        for (const one of [schema, ...Object.values(schema.properties ?? {})]) {
          // Lab's server translates these from language packs only.
          one.title = one.title && trans.__(one.title);
          one.description = one.description && trans.__(one.description);
        }
        return plugin;
      }
    });
    const settings = await registry?.load('kerasllm:runs').catch(() => undefined);
    if (!settings) {
      return;
    }
    const apply = () => {
      isTold = settings.get('notify').composite !== false;
      const wanted = Number(settings.get('limit').composite);
      if (watcher.limit > 0 && (wanted || watcher.ownLimit) !== watcher.limit) {
        ask('limit', 'PUT', { limit: wanted }).catch(error => complain(error, trans));
      }
    };
    settings.changed.connect(apply);
    apply();
    // A server that was started again has forgotten the limit; and another page may have changed the setting.
    let server = '';
    watcher.changed.connect(() => {
      if (watcher.server !== server) {
        server = watcher.server;
        registry?.reload(settings.id).then(apply, error => complain(error, trans));
      }
    });
  }
};
