// What the server tells of the runs, asked again and again; several views look at one watcher.
import { JSONExt, type ReadonlyJSONValue } from '@lumino/coreutils';
import { Poll } from '@lumino/polling';
import { Signal, type ISignal } from '@lumino/signaling';

import { askAgain } from './api';

export type State =
  'queued' | 'running' | 'stopping' | 'stalled' | 'stopped' | 'failed' | 'completed' | 'gone' | 'unreadable';

export interface Row {
  name: string;
  recipe: string;
  created: number;
  state: State;
  phase: string;
  epoch: number | null;
  epochs: number | null;
  step: number | null;
  steps: number | null;
  eta: number | null;
  message: string;
  /** When its status was last written; null while a process works on it, or where nobody can read it. */
  written: number | null;
  score: { name: string; value: number; split: string } | null;
  curve: number[];
  replayable: boolean;
  notebook: string | null;
  waits: number;
}

interface Answer {
  runs: Row[];
  limit: number;
  own_limit: number;
  server: string;
}

const LIVING: State[] = ['queued', 'running', 'stopping', 'stalled'];
// Milliseconds between two looks.
export const OFTEN = 1000;
export const SELDOM = 5000;

export const lives = (state: State): boolean => LIVING.includes(state);

export class Watcher {
  rows: Row[] = [];
  /** How many runs train at once, and how many as the server was started; 0: not yet known. */
  limit = 0;
  ownLimit = 0;
  /** Another one for each start of the server. */
  server = '';
  /** Why the server does not answer, or null. */
  failure: unknown = null;

  constructor() {
    this.poll = new Poll({
      name: 'kerasllm:runs',
      factory: () => this.look(),
      frequency: { interval: SELDOM, backoff: true, max: 30_000 },
      standby: 'when-hidden'
    });
  }

  get changed(): ISignal<this, void> {
    return this.changes;
  }

  /** A run has ended that was seen living, or that has come and ended between two looks. */
  get ended(): ISignal<this, Row> {
    return this.ends;
  }

  /** Look every second while somebody does. */
  set isWatched(watched: boolean) {
    this.poll.frequency = { ...this.poll.frequency, interval: watched ? OFTEN : SELDOM };
    if (watched) {
      void this.refresh();
    }
  }

  /** Look now; resolved when that is done. */
  async refresh(): Promise<void> {
    await this.poll.refresh();
    await this.poll.tick;
  }

  private async look(): Promise<void> {
    let answer;
    try {
      answer = await askAgain<Answer>('runs', this.tag);
    } catch (error) {
      this.failure = error;
      this.changes.emit();
      throw error; // the poll asks less often
    }
    const wasSilent = this.failure !== null;
    this.failure = null;
    if (answer) {
      this.tag = answer.tag;
      this.take(answer.content);
    }
    if (answer || wasSilent) {
      this.changes.emit();
    }
  }

  private take({ runs, limit, own_limit, server }: Answer): void {
    const before = new Map(this.rows.map(row => [row.name, row]));
    const isFirst = this.limit === 0;
    this.limit = limit;
    this.ownLimit = own_limit;
    this.server = server;
    // A row that has not changed stays the same object, so that it is not drawn again.
    this.rows = runs.map(row => {
      const old = before.get(row.name);
      return old && same(old, row) ? old : row;
    });
    for (const row of this.rows) {
      const old = before.get(row.name);
      // A run that was resumed and leaves the line untouched is what it was before.
      const isOld = old?.state === 'queued' && old.written === row.written;
      // One that rested may have been resumed and have ended between two looks.
      const isOther = old?.state !== row.state && old?.state !== 'unreadable' && row.state !== 'unreadable';
      const isNews = old ? (lives(old.state) || isOther) && !isOld : !isFirst && row.created > this.newest;
      if (isNews && !lives(row.state)) {
        this.ends.emit(row);
      }
    }
    this.newest = Math.max(this.newest, ...this.rows.map(row => row.created));
  }

  private readonly poll: Poll<void>;
  private tag = '';
  private newest = 0; // when the youngest run seen so far was made: an older one that appears was copied here
  private readonly changes = new Signal<this, void>(this);
  private readonly ends = new Signal<this, Row>(this);
}

function same(one: Row, other: Row): boolean {
  return JSONExt.deepEqual(one as unknown as ReadonlyJSONValue, other as unknown as ReadonlyJSONValue);
}
