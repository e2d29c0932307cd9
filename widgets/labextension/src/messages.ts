import { Notification } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';

import { Refusal } from './api';

/** Show why something was refused; a route that is not there means a server without our extension. */
export function complain(error: unknown, trans: TranslationBundle): void {
  Notification.error(reason(error, trans), { autoClose: false });
}

export function reason(error: unknown, trans: TranslationBundle): string {
  if (error instanceof Refusal && error.status === 404 && !error.message.startsWith('kerasllm')) {
    return error.message;
  }
  return error instanceof Error ? error.message : String(error);
}
