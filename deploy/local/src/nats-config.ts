/** Subjects with wildcards; in a subscription, `subject queue` forces the queue group. */
export interface NatsSubjects {
  readonly allow?: readonly string[];
  readonly deny?: readonly string[];
}

/** One identity on the bus. What is left out is not restricted. */
export interface NatsUser {
  /** Public user nkey (`U...`). */
  readonly nkey: string;
  readonly publish?: NatsSubjects;
  readonly subscribe?: NatsSubjects;
  /** May answer requests it received, on their reply subject, so often and for so long (a Go duration such as `30s`). */
  readonly allowResponses?: { readonly max: number; readonly expires: string };
}

interface NatsSettings {
  readonly port: number;
  readonly dataDir: string;
  /** Where the server writes the port it got. */
  readonly portsDir: string;
  /** In bytes. */
  readonly maxPayload: number;
  /** Everybody on loopback may do everything when undefined. */
  readonly users: readonly NatsUser[] | undefined;
  /** Fsync each JetStream write before acknowledging it. */
  readonly syncAlways: boolean;
}

const SUBJECT = /^[\w$*>.-]+(?: [\w.-]+)?$/;
const NKEY = /^U[A-Z2-7]{55}$/;
const DURATION = /^\d+(?:ms|s|m)$/;

/** The server's configuration file. Throws on a key or subject that could not be written into it as one word. */
export function renderNatsConfig(settings: NatsSettings): string {
  const { users } = settings;
  const lines = [
    `listen: "127.0.0.1:${settings.port}"`,
    `ports_file_dir: ${JSON.stringify(settings.portsDir)}`,
    `max_payload: ${settings.maxPayload}`,
    `jetstream { store_dir: ${JSON.stringify(settings.dataDir)}, max_mem: 64MB, max_file: 1GB${settings.syncAlways ? ', sync_interval: always' : ''} }`,
    ...(users === undefined
      ? []
      : ['authorization {', '  users: [', ...users.map((user) => `    ${renderUser(user)}`), '  ]', '}']),
  ];
  return `${lines.join('\n')}\n`;
}

function renderUser(user: NatsUser): string {
  const { publish, subscribe, allowResponses } = user;
  const permissions = [
    ...(publish === undefined ? [] : [`publish: ${renderSubjects(publish)}`]),
    ...(subscribe === undefined ? [] : [`subscribe: ${renderSubjects(subscribe)}`]),
    ...(allowResponses === undefined
      ? []
      : [
          `allow_responses: { max: ${Math.trunc(allowResponses.max)}, expires: "${word(allowResponses.expires, DURATION)}" }`,
        ]),
  ];
  const rendered = permissions.length === 0 ? '' : `, permissions: { ${permissions.join(', ')} }`;
  return `{ nkey: "${word(user.nkey, NKEY)}"${rendered} }`;
}

function renderSubjects(subjects: NatsSubjects): string {
  const list = (name: string, values: readonly string[] | undefined) =>
    values === undefined ? [] : [`${name}: [${values.map((value) => `"${word(value, SUBJECT)}"`).join(', ')}]`];
  return `{ ${[...list('allow', subjects.allow), ...list('deny', subjects.deny)].join(', ')} }`;
}

function word(value: string, pattern: RegExp): string {
  if (!pattern.test(value)) throw new TypeError(`Not usable in a NATS configuration: ${JSON.stringify(value)}.`);
  return value;
}
