import { getContext } from 'alga:extension/context@1.0.0';
import { type HandlerInput, handler, json, SecretError } from '@alga/extension-runtime';

const DEFAULT_PAGE_SIZE = 20;
const CURSOR_KEY = 'cursor';

export default handler(async (input) => {
  const route = routes[input.request.path];
  if (route === undefined) return json({ error: 'not_found' }, { status: 404 });
  if (input.request.method !== route.method) {
    return json({ error: 'method_not_allowed' }, { status: 405, headers: { allow: route.method } });
  }
  return denialAsAnswer(() => route.answer(input));
});

// Reading is safe to repeat, syncing is not: the methods say so, and the platform repeats a lost call accordingly.
const routes: Readonly<
  Record<string, { method: string; answer: (input: HandlerInput) => Promise<ReturnType<typeof json>> }>
> = {
  '/tickets': { method: 'GET', answer: tickets },
  '/sync': { method: 'POST', answer: sync },
  '/secret-missing': { method: 'GET', answer: secretMissing },
  // The WIT interfaces can be called without the runtime, too.
  '/whoami': { method: 'GET', answer: async () => json(getContext()) },
};

interface TicketPage {
  readonly tickets: readonly unknown[];
  readonly cursor: string;
  /** Which generation of the API key the API saw: a rotation shows here. */
  readonly keyGeneration: number;
}

/** The first page, as it is now; remembers nothing. */
async function tickets(input: HandlerInput) {
  const page = await fetchPage(input, '');
  if (!page.ok) return page.refusal;
  const { tickets, keyGeneration } = page.value;
  return json({ tickets: tickets.length, keyGeneration, requestId: input.context.requestId });
}

/** The page after the one before, and where it ended. */
async function sync(input: HandlerInput) {
  const { storage, log, context } = input;
  const page = await fetchPage(input, (await storage.get(CURSOR_KEY))?.text() ?? '');
  if (!page.ok) return page.refusal;
  const { tickets, cursor, keyGeneration } = page.value;
  await storage.put(CURSOR_KEY, cursor);
  log.info('synced', { tickets: tickets.length, cursor });
  return json({ synced: tickets.length, cursor, keyGeneration, requestId: context.requestId });
}

type Fetched = { ok: true; value: TicketPage } | { ok: false; refusal: ReturnType<typeof json> };

async function fetchPage({ secrets, config, http, log }: HandlerInput, after: string): Promise<Fetched> {
  const apiUrl = await config.get('alga_api_url');
  if (typeof apiUrl !== 'string')
    return { ok: false, refusal: json({ error: 'alga_api_url_not_set' }, { status: 500 }) };
  const url = new URL('/v1/tickets', apiUrl);
  url.searchParams.set('after', after);
  url.searchParams.set('limit', String((await config.get('page_size')) ?? DEFAULT_PAGE_SIZE));
  const answer = await http.fetch(url, {
    headers: {
      authorization: `Bearer ${await secrets.get('alga_api_key')}`,
      'x-alga-account': await secrets.get('alga_account_token'),
    },
  });
  if (answer.ok) return { ok: true, value: answer.json<TicketPage>() };
  log.warn('the Alga API refused', { status: answer.status });
  return { ok: false, refusal: json({ error: 'upstream_refused', status: answer.status }, { status: 502 }) };
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
