// The sidebar: every run of the server's folder, whoever started it.
import { ReactWidget, UseSignal } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import {
  deleteIcon,
  HTMLSelect,
  LabIcon,
  launcherIcon,
  notebookIcon,
  runIcon,
  stopIcon
} from '@jupyterlab/ui-components';
import type { CommandRegistry } from '@lumino/commands';
import type { Message } from '@lumino/messaging';
import React from 'react';

import { number } from '../../kerasllm_widgets/static/dom.js';
import { duration, phase, say } from '../../kerasllm_widgets/static/words.js';
import { MOST_RUNS, Sparkline } from './chart';
import { kerasllmIcon } from './icons';
import { reason } from './messages';
import { lives, type Row, type State, type Watcher } from './watcher';

const STATES: State[] = ['running', 'queued', 'stopping', 'stalled', 'stopped', 'failed', 'completed', 'gone', 'unreadable'];

export class RunsSidebar extends ReactWidget {
  constructor(
    private readonly watcher: Watcher,
    private readonly commands: CommandRegistry,
    private readonly trans: TranslationBundle
  ) {
    super();
    this.id = 'kerasllm-runs';
    this.addClass('kerasllm-runs');
    this.title.icon = kerasllmIcon;
    this.title.caption = trans.__('Runs of kerasllm');
    this.node.setAttribute('role', 'region');
    this.node.setAttribute('aria-label', trans.__('Runs of kerasllm'));
  }

  protected onAfterAttach(message: Message): void {
    super.onAfterAttach(message);
    this.watcher.isWatched = this.isVisible;
  }

  protected onAfterShow(message: Message): void {
    super.onAfterShow(message);
    this.watcher.isWatched = true;
  }

  protected onAfterHide(message: Message): void {
    super.onAfterHide(message);
    this.watcher.isWatched = false;
  }

  protected onActivateRequest(message: Message): void {
    super.onActivateRequest(message);
    this.node.querySelector('select')?.focus(); // a keyboard goes on from there
  }

  render(): JSX.Element {
    return (
      <UseSignal signal={this.watcher.changed}>
        {() => <Runs watcher={this.watcher} commands={this.commands} trans={this.trans} />}
      </UseSignal>
    );
  }
}

interface Shared {
  commands: CommandRegistry;
  trans: TranslationBundle;
}

function Runs({ watcher, commands, trans }: Shared & { watcher: Watcher }): JSX.Element {
  const [recipe, setRecipe] = React.useState('');
  const [state, setState] = React.useState('');
  const [chosen, setChosen] = React.useState<ReadonlySet<string>>(new Set());
  const keptFocus = useKeptFocus();
  const { rows, limit } = watcher;
  const choose = React.useCallback(
    (name: string, isChosen: boolean) =>
      setChosen(before => new Set(isChosen ? [...before, name] : [...before].filter(one => one !== name))),
    []
  );
  const recipes = [...new Set(rows.map(row => row.recipe))].filter(Boolean).sort();
  const wanted = recipes.includes(recipe) ? recipe : ''; // its last run may have been deleted
  const shown = rows.filter(row => (!wanted || row.recipe === wanted) && (!state || row.state === state));
  const compared = rows.filter(row => chosen.has(row.name)).map(row => row.name);
  const waiting = rows.filter(row => row.waits > 0).length;
  return (
    <>
      <div className="kerasllm-filters">
        <Choice label={trans.__('Recipe')} value={wanted} onChange={setRecipe} all={trans.__('all recipes')}
          options={recipes.map(name => [name, name])} />
        <Choice label={trans.__('State')} value={state} onChange={setState} all={trans.__('all states')}
          options={STATES.map(name => [name, say(name)])} />
        <button className="jp-mod-styled jp-mod-reject" disabled={compared.length < 2 || compared.length > MOST_RUNS}
          title={trans.__('Select 2 to %1 runs', MOST_RUNS)}
          onClick={() => void commands.execute('kerasllm:open-runs', { names: compared })}>
          {trans.__('Compare (%1)', compared.length)}
        </button>
      </div>
      {watcher.failure !== null && (
        <p className="kerasllm-message" role="alert">
          {trans.__('The server does not answer: %1', reason(watcher.failure, trans))}
        </p>
      )}
      {waiting > 0 && <p className="kerasllm-note">{trans.__('%1 waiting; %2 at once', waiting, limit)}</p>}
      {shown.length === 0 && watcher.failure === null && (
        <p className="kerasllm-note">
          {rows.length
            ? trans.__('No run is like that.')
            : trans.__('No runs yet. Start one from the launcher, a notebook or the command line.')}
        </p>
      )}
      <ul className="kerasllm-list" {...keptFocus}>
        {shown.map(row => (
          <Item key={row.name} row={row} isChosen={chosen.has(row.name)} choose={choose} commands={commands} trans={trans} />
        ))}
      </ul>
    </>
  );
}

/** Where the button that has the focus goes, as Stop does at a run's end, hand it to the run, or else to the filters. */
function useKeptFocus(): React.HTMLAttributes<HTMLUListElement> & React.RefAttributes<HTMLUListElement> {
  const list = React.useRef<HTMLUListElement>(null);
  const held = React.useRef<{ element: Element; name?: string } | null>(null);
  React.useLayoutEffect(() => {
    if (list.current && held.current && !held.current.element.isConnected) {
      const { name } = held.current;
      held.current = null; // the filters are not of the list: nothing there tells of the focus
      const row = [...list.current.querySelectorAll('li')].find(one => one.dataset.name === name);
      (row?.querySelector<HTMLElement>('.kerasllm-name') ?? list.current.parentElement?.querySelector('select'))?.focus();
    }
  });
  return {
    ref: list,
    onFocus: ({ target }) => (held.current = { element: target, name: target.closest('li')?.dataset.name }),
    onBlur: () => (held.current = null),
    // Enter held down must not press what gets the focus next.
    onKeyDown: event => event.repeat && event.key === 'Enter' && event.preventDefault()
  };
}

function Choice(props: {
  label: string;
  value: string;
  all: string;
  options: [string, string][];
  onChange: (value: string) => void;
}): JSX.Element {
  return (
    <HTMLSelect className="kerasllm-choice" aria-label={props.label} value={props.value}
      onChange={event => props.onChange(event.target.value)}
      options={[['', props.all], ...props.options].map(([value, label]) => ({ value, label }))} />
  );
}

type ItemProps = Shared & { row: Row; isChosen: boolean; choose: (name: string, isChosen: boolean) => void };

const Item = React.memo(function Item({ row, isChosen, choose, commands, trans }: ItemProps): JSX.Element {
  const { name, state } = row;
  const button = (icon: LabIcon, command: string, label: string, args: object = { name }) => (
    <button className="jp-Button jp-mod-minimal" title={label} aria-label={`${label}: ${name}`}
      onClick={() => void commands.execute(command, args as { name: string })}>
      <icon.react tag="span" width="16px" height="16px" />
    </button>
  );
  const canResume = row.replayable && ['stopped', 'failed', 'gone'].includes(state) && !row.waits;
  return (
    <li className="kerasllm-run" data-state={state} data-name={name}>
      <div className="kerasllm-line">
        <input type="checkbox" checked={isChosen} aria-label={trans.__('Select %1', name)}
          onChange={event => choose(name, event.target.checked)} />
        <button className="kerasllm-name" onClick={() => void commands.execute('kerasllm:open-runs', { names: [name] })}>
          {name}
        </button>
      </div>
      <div className="kerasllm-line">
        <span className="kerasllm-state">
          {row.waits ? trans.__('waiting, place %1', row.waits) : say(state)}
        </span>
        <span className="kerasllm-detail">{detail(row, trans)}</span>
      </div>
      <div className="kerasllm-line kerasllm-actions">
        <Sparkline values={row.curve} label={trans.__('loss of %1', name)} />
        {row.notebook && button(notebookIcon, 'docmanager:open', trans.__('Open notebook'), { path: row.notebook })}
        {button(launcherIcon, 'kerasllm:open-runs', trans.__('Open view'), { names: [name] })}
        {(lives(state) || row.waits > 0) && button(stopIcon, 'kerasllm:stop', trans.__('Stop'))}
        {canResume && button(runIcon, 'kerasllm:resume', trans.__('Resume'))}
        {!lives(state) && button(deleteIcon, 'kerasllm:delete', trans.__('Delete'))}
      </div>
      {lives(state) && row.steps ? (
        <progress max={row.steps} value={row.step ?? 0} aria-label={trans.__('Progress of %1', name)} />
      ) : null}
      {row.message && <p className="kerasllm-message">{row.message}</p>}
    </li>
  );
});

function detail(row: Row, trans: TranslationBundle): string {
  if (lives(row.state)) {
    const place =
      row.phase === 'training' && row.epochs
        ? trans.__('epoch %1/%2', Math.min((row.epoch ?? 0) + 1, row.epochs), row.epochs)
        : phase(row.phase);
    return [place, row.eta === null ? '' : trans.__('%1 left', duration(row.eta))].filter(Boolean).join(', ');
  }
  if (row.state === 'completed' && row.phase) {
    return phase(row.phase); // a notebook goes on after its training
  }
  return row.score ? `${row.score.name} ${number(row.score.value)}` : row.recipe;
}
