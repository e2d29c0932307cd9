// A run's view, live; of several runs, the same beside one another.
import { ReactWidget } from '@jupyterlab/apputils';
import { PageConfig, URLExt } from '@jupyterlab/coreutils';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { CommandRegistry } from '@lumino/commands';
import type { Message } from '@lumino/messaging';
import { Poll } from '@lumino/polling';
import React from 'react';

import { exact, number } from '../../kerasllm_widgets/static/dom.js';
import { phase, say } from '../../kerasllm_widgets/static/words.js';
import { askAgain, part } from './api';
import { Chart, type Line } from './chart';
import { reason } from './messages';
import { lives, OFTEN, SELDOM, type State } from './watcher';

/** By measure, its lines over the training and the validation rows: all x, all y. */
type Curve = Record<string, { train?: [number[], number[]]; validation?: [number[], number[]] }>;

interface Details {
  name: string;
  recipe: string;
  parameters: Record<string, unknown>;
  state: State;
  message: string;
  phase: string;
  /** The main one of the splits, and the scores of each. */
  split: string;
  splits: Record<string, Record<string, unknown>>;
  curve: Curve;
  warnings: string[];
  notebook: string | null;
  log: string | null;
  figures: { path: string | null; changed: number }[];
}

export class RunsView extends ReactWidget {
  constructor(
    readonly names: string[],
    private readonly commands: CommandRegistry,
    private readonly trans: TranslationBundle
  ) {
    super();
    this.addClass('kerasllm-view');
  }

  protected onAfterAttach(message: Message): void {
    super.onAfterAttach(message);
    this.node.tabIndex = 0; // so that the keyboard can scroll it
  }

  render(): JSX.Element {
    return <View names={this.names} commands={this.commands} trans={this.trans} isShown={() => this.isVisible} />;
  }
}

interface Props {
  names: string[];
  commands: CommandRegistry;
  trans: TranslationBundle;
  isShown: () => boolean;
}

function View({ names, commands, trans, isShown }: Props): JSX.Element {
  const [runs, setRuns] = React.useState<Record<string, Details>>({});
  const [failure, setFailure] = React.useState('');
  const said = (name: string, error: unknown) => (names.length > 1 ? `${name}: ` : '') + reason(error, trans);
  React.useEffect(() => watch(names, isShown, found => setRuns(before => ({ ...before, [found.name]: found })),
    errors => setFailure([...errors].map(([name, error]) => said(name, error)).join('\n'))), [names]);
  const shown = names.map(name => runs[name]).filter(Boolean);
  const open = (path: string | null, label: string) =>
    path && (
      <button className="jp-mod-styled jp-mod-reject" onClick={() => void commands.execute('docmanager:open', { path })}>
        {label}
      </button>
    );
  const heads = names.length > 1 ? shown.map(run => run.name) : [];
  const single = shown.length === 1 && names.length === 1 ? shown[0] : null;
  const told = shown.map(run => run.message || phase(run.phase));
  return (
    <>
      <h1>{single ? single.name : trans.__('Compare %1 runs', names.length)}</h1>
      {failure && <p className="kerasllm-message" role="alert">{failure}</p>}
      {single && (
        <p className="kerasllm-line">
          {open(single.notebook, trans.__('Open notebook'))}
          {open(single.log, trans.__('Open log'))}
        </p>
      )}
      <Table
        caption={trans.__('State')}
        heads={heads}
        rows={[
          [trans.__('recipe'), shown.map(run => run.recipe)],
          [trans.__('state'), shown.map(run => say(run.state))],
          ...((told.some(Boolean) ? [[trans.__('message'), told]] : []) as Rows)
        ]}
      />
      <Curves runs={shown} axis={trans.__('epoch')} />
      {single ? (
        <Table caption={trans.__('Scores')} heads={Object.keys(single.splits).map(sideOf)} rows={rowsOf(Object.values(single.splits))} />
      ) : (
        <Table caption={trans.__('Scores')} heads={heads} rows={rowsOf(shown.map(mainScores))} />
      )}
      <Table
        caption={single ? trans.__('Parameters') : trans.__('Parameters that differ')}
        heads={heads}
        shown={exact}
        rows={rowsOf(shown.map(run => run.parameters)).filter(
          ([, values]) => single || new Set(values.map(value => JSON.stringify(value))).size > 1
        )}
      />
      {single?.warnings.map(warning => <p key={warning}>{warning}</p>)}
      {single?.figures.map(
        ({ path, changed }) => path && <img key={path} alt={path.split('/').pop()} src={address(path, changed)} />
      )}
    </>
  );
}

/** Where a file is; one that was drawn again after a resume is at another address. */
function address(path: string, changed: number): string {
  return `${URLExt.join(PageConfig.getBaseUrl(), 'files', URLExt.encodeParts(path))}?${changed}`;
}

/** Ask for each run, often while any of them lives; returns how to end that. */
function watch(
  names: string[],
  isShown: () => boolean,
  tell: (run: Details) => void,
  fail: (errors: Map<string, unknown>) => void
): () => void {
  const tags = new Map<string, string>();
  const states = new Map<string, State>();
  const look = async () => {
    const failed = new Map<string, unknown>();
    for (const name of names) {
      try {
        const answer = await askAgain<Details>(`runs/${part(name)}`, tags.get(name) ?? '');
        if (poll.isDisposed) {
          return;
        }
        if (answer) {
          tags.set(name, answer.tag);
          states.set(name, answer.content.state);
          tell(answer.content);
        }
      } catch (error) {
        states.delete(name);
        failed.set(name, error);
      }
    }
    fail(failed);
    if (failed.size === names.length) {
      throw failed.get(names[0]); // the poll asks less often
    }
    const interval = [...states.values()].some(lives) ? OFTEN : SELDOM;
    if (poll.frequency.interval !== interval) {
      poll.frequency = { ...poll.frequency, interval };
    }
  };
  const poll = new Poll({
    name: `kerasllm:view:${names.join(',')}`,
    factory: look,
    frequency: { interval: OFTEN, backoff: true, max: 30_000 },
    standby: () => (isShown() ? 'when-hidden' : true)
  });
  return () => poll.dispose();
}

function Curves({ runs, axis }: { runs: Details[]; axis: string }): JSX.Element {
  const titles = [...new Set(runs.flatMap(run => Object.keys(run.curve)))];
  return (
    <div className="kl-widget kl-charts">
      {titles.map(title => (
        <Chart key={title} title={title} axis={axis} lines={runs.length > 1 ? compared(runs, title) : own(runs[0], title)} />
      ))}
    </div>
  );
}

/** A split's name, as the notebook's views say it. */
function sideOf(split: string): string {
  return say(split === 'train' ? 'training' : split);
}

function own(run: Details, title: string): Line[] {
  const { train, validation } = run.curve[title];
  return [line(sideOf('train'), train, 0), line(sideOf('validation'), validation, 1)];
}

/** Each run's validation, or its training where it has none. */
function compared(runs: Details[], title: string): Line[] {
  return runs.map((run, place) => {
    const { train, validation } = run.curve[title] ?? {};
    return line(run.name, validation ?? train, place);
  });
}

function line(name: string, [x, y]: [number[], number[]] = [[], []], style: number): Line {
  return { name, x, y, style };
}

type Rows = [string, unknown[]][];

function mainScores({ split, splits }: Details): Record<string, unknown> {
  return splits[split] ? { ...splits[split], split } : {};
}

/** A row per name; a column per record. */
function rowsOf(records: Record<string, unknown>[]): Rows {
  const names = [...new Set(records.flatMap(record => Object.keys(record)))];
  return names.map(name => [name, records.map(record => record[name])]);
}

interface TableProps {
  caption: string;
  heads: string[];
  rows: Rows;
  shown?: (value: unknown) => string;
}

function Table({ caption, heads, rows, shown = number }: TableProps): JSX.Element | null {
  if (rows.length === 0) {
    return null;
  }
  return (
    <table className="kerasllm-table">
      <caption>{caption}</caption>
      {heads.length > 0 && (
        <thead>
          <tr>
            <td />
            {heads.map(head => (
              <th key={head} scope="col">
                {head}
              </th>
            ))}
          </tr>
        </thead>
      )}
      <tbody>
        {rows.map(([name, values]) => (
          <tr key={name}>
            <th scope="row">{name}</th>
            {values.map((value, place) => (
              <td key={place}>{shown(value)}</td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}
