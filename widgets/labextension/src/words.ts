// What a run's states and times are called.
import type { TranslationBundle } from '@jupyterlab/translation';

import type { State } from './watcher';

export function stateWord(state: State, trans: TranslationBundle): string {
  const words: Record<State, string> = {
    queued: trans.__('queued'),
    running: trans.__('running'),
    stopping: trans.__('stopping'),
    stalled: trans.__('stalled'),
    stopped: trans.__('stopped'),
    failed: trans.__('failed'),
    completed: trans.__('completed'),
    gone: trans.__('gone'),
    unreadable: trans.__('unreadable')
  };
  return words[state] ?? state;
}

/** 75 -> "1 min 15 s". */
export function duration(seconds: number): string {
  const whole = Math.round(seconds);
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  return hours ? `${hours} h ${minutes} min` : minutes ? `${minutes} min ${whole % 60} s` : `${whole} s`;
}
