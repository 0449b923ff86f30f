import { getContext } from 'alga:extension/context@1.0.0';
import { type HandlerInput, handler, json, SecretError } from '@alga/extension-runtime';

const DEFAULT_PAGE_SIZE = 20;
const CURSOR_KEY = 'cursor';

export default handler(async (input) => {
  const { method, path } = input.request;
  if (method !== 'GET') return json({ error: 'method_not_allowed' }, { status: 405, headers: { allow: 'GET' } });
  if (path === '/sync') return denialAsAnswer(() => sync(input));
  if (path === '/secret-missing') return denialAsAnswer(() => secretMissing(input));
  // The WIT interfaces can be called without the runtime, too.
  if (path === '/whoami') return json(getContext());
  return json({ error: 'not_found' }, { status: 404 });
});

interface TicketPage {
  readonly tickets: readonly unknown[];
  readonly cursor: string;
  /** Which generation of the API key the API saw: a rotation shows here. */
  readonly keyGeneration: number;
}

async function sync({ secrets, config, storage, http, log, context }: HandlerInput) {
  const apiUrl = await config.get('alga_api_url');
  if (typeof apiUrl !== 'string') return json({ error: 'alga_api_url_not_set' }, { status: 500 });
  const pageSize = (await config.get('page_size')) ?? DEFAULT_PAGE_SIZE;
  const after = (await storage.get(CURSOR_KEY))?.text() ?? '';

  const url = new URL('/v1/tickets', apiUrl);
  url.searchParams.set('after', after);
  url.searchParams.set('limit', String(pageSize));
  const answer = await http.fetch(url, {
    headers: {
      authorization: `Bearer ${await secrets.get('alga_api_key')}`,
      'x-alga-account': await secrets.get('alga_account_token'),
    },
  });
  if (!answer.ok) {
    log.warn('the Alga API refused', { status: answer.status });
    return json({ error: 'upstream_refused', status: answer.status }, { status: 502 });
  }

  const page = answer.json<TicketPage>();
  await storage.put(CURSOR_KEY, page.cursor);
  const synced = page.tickets.length;
  log.info('synced', { tickets: synced, cursor: page.cursor });
  return json({ synced, cursor: page.cursor, keyGeneration: page.keyGeneration, requestId: context.requestId });
}

async function secretMissing({ secrets }: HandlerInput) {
  try {
    await secrets.get('not_set_key');
    return json({ error: 'the secret is set' }, { status: 500 });
  } catch (error) {
    if (error instanceof SecretError && error.code === 'missing') return json({ error: 'missing' });
    throw error;
  }
}

// Only a denial is this extension's to explain. A backend that is unavailable is the platform's, which answers 503.
async function denialAsAnswer<Answer>(work: () => Promise<Answer>) {
  try {
    return await work();
  } catch (error) {
    if (error instanceof SecretError && error.code === 'denied')
      return json({ error: 'secret_denied' }, { status: 403 });
    throw error;
  }
}
