import pg from 'pg';

const CONNECT_TIMEOUT_MS = 5_000;
/** Creating a database copies a template: a second or two on a busy machine. */
const QUERY_TIMEOUT_MS = 60_000;
const DUPLICATE_DATABASE = '42P04';
const NAME = /^[a-z][a-z0-9_]{0,62}$/;

/** The URL of another database on the same server. */
function databaseUrl(adminUrl: string, name: string): string {
  if (!NAME.test(name)) throw new TypeError(`Not a database name: ${JSON.stringify(name)}.`);
  const url = new URL(adminUrl);
  url.pathname = `/${name}`;
  return url.href;
}

/** Creates the database unless it is there. Resolves to its URL. */
export async function createDatabase(adminUrl: string, name: string): Promise<string> {
  const url = databaseUrl(adminUrl, name);
  await query(adminUrl, `CREATE DATABASE ${pg.escapeIdentifier(name)}`).catch((error: { code?: string }) => {
    if (error.code !== DUPLICATE_DATABASE) throw error;
  });
  return url;
}

/** Drops the database, with whoever is connected to it, if it is there. */
export async function dropDatabase(adminUrl: string, name: string): Promise<void> {
  databaseUrl(adminUrl, name);
  await query(adminUrl, `DROP DATABASE IF EXISTS ${pg.escapeIdentifier(name)} WITH (FORCE)`);
}

/** Drops the database if it is there. Rejects when somebody is connected to it. */
export async function dropUnusedDatabase(adminUrl: string, name: string): Promise<void> {
  databaseUrl(adminUrl, name);
  await query(adminUrl, `DROP DATABASE IF EXISTS ${pg.escapeIdentifier(name)}`);
}

/** Whether the server takes queries at this moment. */
export async function answersQueries(adminUrl: string): Promise<boolean> {
  return query(adminUrl, 'SELECT 1').then(
    () => true,
    () => false,
  );
}

async function query(url: string, text: string): Promise<void> {
  const client = new pg.Client({
    connectionString: url,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    query_timeout: QUERY_TIMEOUT_MS,
  });
  client.on('error', () => undefined); // a connection that breaks later fails the query, which is where it is reported
  try {
    await client.connect();
    await client.query(text);
  } finally {
    await client.end().catch(() => undefined);
  }
}
