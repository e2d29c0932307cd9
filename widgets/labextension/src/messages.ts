import { Notification } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';

import { Refusal } from './api';

/** Milliseconds of good news; Lab shows none of it where this is not said. */
export const SHOWN = 5000;

/** Show, until it is put away, why something was refused. */
export function complain(error: unknown, trans: TranslationBundle): void {
  Notification.error(reason(error, trans), { autoClose: false });
}

/** In one line; the server's own refusals are in the person's words already. */
export function reason(error: unknown, trans: TranslationBundle): string {
  if (error instanceof Refusal && error.status === 404 && error.message === 'Not Found') {
    return trans.__('That is not there any more.');
  }
  return error instanceof Error ? error.message : String(error);
}
