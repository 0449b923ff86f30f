import { createHash } from 'node:crypto';
import type { LoadedArtifact } from '../engine/outcome.ts';

/**
 * A guest without a core module: what transpiling produces, written by hand, so that a specification needs no component build.
 * It runs in the real sandbox against the real host. The `http.url` names the route.
 */
const GLUE = `
const from = (imports, name) => imports['alga:extension/' + name + '@1.0.0'];
const json = (value, status = 200) => ({
  status,
  headers: [{ name: 'content-type', value: 'application/json' }],
  body: new TextEncoder().encode(JSON.stringify(value, (_, v) => (typeof v === 'bigint' ? String(v) : v))),
});
const attempt = async (work) => {
  try { return { ok: await work() }; } catch (error) { return { error: error.payload ?? 'threw' }; }
};
export async function instantiate(getCore, imports) {
  const context = from(imports, 'context'), config = from(imports, 'config'), secrets = from(imports, 'secrets');
  const storage = from(imports, 'storage'), logging = from(imports, 'logging'), http = from(imports, 'http');
  const routes = {
    '/echo': ({ http }) => ({ status: 200, headers: http.headers, body: http.body }),
    '/context': async () => json(await context.getContext()),
    '/secret': async () => json({ value: await attempt(() => secrets.get('api_key')), keys: await attempt(() => secrets.listKeys()) }),
    '/odd-secrets': async () => {
      const answers = [];
      for (const key of ['__proto__', 'constructor', 'a'.repeat(9000), '\\ud800', '', 7, null, undefined, {}]) {
        answers.push(await attempt(() => secrets.get(key)));
      }
      return json(answers);
    },
    '/need-secret': async () => json({ value: await secrets.get('api_key') }),
    '/tell-secret': async () => { const value = await secrets.get('api_key'); await logging.logError('it is ' + value); return json(value.length); },
    '/config': async () => json({
      region: await attempt(() => config.get('region')), proto: await attempt(() => config.get('__proto__')),
      none: await attempt(() => config.get('toString')), all: await attempt(() => config.getAll()) }),
    '/storage': async () => {
      const steps = [];
      steps.push(await attempt(() => storage.get('cursor')));
      steps.push(await attempt(() => storage.put('cursor', new Uint8Array([1, 2, 255]), 0n)));
      steps.push(await attempt(() => storage.put('cursor', new Uint8Array([9]), 0n)));
      const entry = await attempt(() => storage.get('cursor'));
      steps.push(entry.ok === undefined ? entry : { ...entry.ok, value: [...entry.ok.value] });
      steps.push(await attempt(async () => (await storage.listEntries('', undefined, 10)).entries.map(({ key }) => key)));
      steps.push(await attempt(() => storage.delete('cursor', 99n)));
      steps.push(await attempt(() => storage.delete('cursor')));
      return json(steps);
    },
    '/fetch': async ({ http: { headers } }) => json(await attempt(async () =>
      (await http.fetch({ method: 'GET', url: headers[0].value, headers: [] })).status)),
    '/log': async () => { await logging.logInfo('first line\\r\\n\\u001b[31m{"level":"fatal"} \\u2028end'); return json('logged'); },
    '/throw': () => { throw new Error('guest words'); },
    '/loop': () => { for (;;); },
    '/wait': async () => { await http.fetch({ method: 'GET', url: 'http://127.0.0.1:1/', headers: [] }).catch(() => {}); return json('waited'); },
    '/bad-status': () => json('no', 99),
  };
  return {
    handler: async (request) => routes[request.http.url](request),
    state: { save() {}, restore: () => true },
  };
}
`;

export const GLUE_ARTIFACT: LoadedArtifact = {
  contentHash: `sha256:${createHash('sha256').update(GLUE).digest('hex')}`,
  entry: 'guest.js',
  files: new Map([['guest.js', Buffer.from(GLUE)]]),
  modules: [],
  pool: { reusable: true },
  sourceMap: null,
};
