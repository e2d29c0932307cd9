// The server's routes. Every text that a person reads comes from there in Lab's language.
import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';
import type { ITranslator } from '@jupyterlab/translation';

import { language, speak as speakWords } from '../../kerasllm_widgets/static/words.js';

export interface Recipe {
  name: string;
  summary: string;
}

/** The server said no, in one line for the person. */
export class Refusal extends Error {
  constructor(
    message: string,
    readonly status: number
  ) {
    super(message);
  }
}

const settings = ServerConnection.makeSettings();

/** Have the server answer, and the views speak, in Lab's language. */
export function speak(translator: ITranslator | null): void {
  speakWords(translator?.languageCode ?? 'en');
}

export async function ask<T>(path: string, method = 'GET', body?: object): Promise<T> {
  const answer = await send(path, { method, ...(body && { body: JSON.stringify(body) }) });
  return answer.status === 204 ? (undefined as T) : answer.json();
}

/** Like `ask`, but null when the answer is the one that `tag` names. */
export async function askAgain<T>(path: string, tag: string): Promise<{ content: T; tag: string } | null> {
  const answer = await send(path, { headers: { 'If-None-Match': tag } });
  return answer.status === 304 ? null : { content: await answer.json(), tag: answer.headers.get('ETag') ?? '' };
}

/** A run's or recipe's name as a part of a route. */
export const part = encodeURIComponent;

async function send(path: string, init: RequestInit): Promise<Response> {
  const asked = `${path.includes('?') ? '&' : '?'}language=${language()}`;
  const url = URLExt.join(settings.baseUrl, 'kerasllm', path) + asked;
  const answer = await ServerConnection.makeRequest(url, init, settings);
  if (!answer.ok && answer.status !== 304) {
    const content = await answer.json().catch(() => ({}));
    throw new Refusal(String(content.message ?? answer.statusText), answer.status);
  }
  return answer;
}
