import { createUser } from '@nats-io/nkeys';
import { renderNatsConfig } from './nats-config.ts';

const settings = { port: 4222, dataDir: '/d', portsDir: '/p', maxPayload: 1024, users: undefined, syncAlways: false };
const nkey = createUser().getPublicKey();

describe('renderNatsConfig', () => {
  it('leaves authorization out when nobody is named, and closes the door when nobody is listed', () => {
    expect(renderNatsConfig(settings)).not.toContain('authorization');
    expect(renderNatsConfig({ ...settings, users: [] })).toContain('authorization');
  });

  it('asks for fsync only of a server that knows the word', () => {
    expect(renderNatsConfig(settings)).not.toContain('sync_interval');
    expect(renderNatsConfig({ ...settings, syncAlways: true })).toContain('sync_interval: always');
  });

  it('renders permissions, forced queue groups and allowed responses', () => {
    const config = renderNatsConfig({
      ...settings,
      users: [
        {
          nkey,
          publish: { deny: ['>'] },
          subscribe: { allow: ['a.b.> workers', '_INBOX_x.>'] },
          allowResponses: { max: 1, expires: '30s' },
        },
      ],
    });
    expect(config).toContain(
      `{ nkey: "${nkey}", permissions: { publish: { deny: [">"] }, subscribe: { allow: ["a.b.> workers", "_INBOX_x.>"] }, allow_responses: { max: 1, expires: "30s" } } }`,
    );
  });

  it.each([
    { nkey: 'U"}' },
    { nkey, publish: { allow: ['a" }'] } },
    { nkey, subscribe: { allow: ['a b c'] } },
    { nkey, allowResponses: { max: 1, expires: '1s }' } },
  ])('refuses what would not stay one word of the file: %j', (user) => {
    expect(() => renderNatsConfig({ ...settings, users: [user] })).toThrow(TypeError);
  });
});
