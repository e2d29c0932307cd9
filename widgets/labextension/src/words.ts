// What a run's states, phases and times are called.
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

/** What a trainer or a notebook does now; its own word where we know no other. */
export function phaseWord(phase: string, trans: TranslationBundle): string {
  const words: Record<string, string> = {
    starting: trans.__('starting'),
    'reading the data': trans.__('reading the data'),
    'loading Keras': trans.__('loading Keras'),
    'building the network': trans.__('building the network'),
    compiling: trans.__('compiling'),
    training: trans.__('training'),
    scoring: trans.__('scoring'),
    'starting the kernel': trans.__('starting the kernel')
  };
  const cell = /^cell (\d+)\/(\d+)$/.exec(phase);
  return cell ? trans.__('cell %1/%2', cell[1], cell[2]) : (words[phase] ?? phase);
}

/** 75 -> "1 min 15 s". */
export function duration(seconds: number, trans: TranslationBundle): string {
  const whole = Math.round(seconds);
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  if (hours) {
    return trans.__('%1 h %2 min', hours, minutes);
  }
  return minutes ? trans.__('%1 min %2 s', minutes, whole % 60) : trans.__('%1 s', whole);
}
