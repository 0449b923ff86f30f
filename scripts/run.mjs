// Runs one of the repository's TypeScript scripts on the Node it needs: `node scripts/run.mjs scripts/demo.ts [args...]`.
//
// A fresh clone has any Node >= 20 and no packages, so this file is plain JavaScript, imports nothing but Node's own modules, and
// keeps to syntax that an old Node can still parse: it has to live long enough to say which Node is needed. It installs what the
// lock file says when that is not what is installed, then hands over to the Node of the `node` npm package (JSPI, type stripping).
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { constants } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const OLDEST_NODE = 20;
const PLATFORMS = ['linux-x64', 'linux-arm64', 'darwin-x64', 'darwin-arm64'];
/** npm goes on asking for hundreds of packages, minutes long, after it had to give up on this many. */
const GIVE_UPS_BEFORE_OFFLINE = 3;
const RETRIES = 2;
/** Told to end, npm first finishes the step it is at, half a minute long. What it leaves is of no use to anybody: the next run begins anew. */
const NPM_GRACE_MS = 2_000;
const NETWORK_FAULT =
  /\b(?:ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|ERR_SOCKET_TIMEOUT|ENOTCACHED)\b/;

/**
 * Why this machine cannot run the repository, as one sentence with the fix; undefined when it can.
 * @param {{ nodeVersion: string, platform: string, arch: string }} machine as `process` names them; nodeVersion without the `v`
 * @returns {string | undefined}
 */
export function refusal(machine) {
  if (machine.platform === 'win32') {
    return 'Windows is not supported directly: install WSL2 (`wsl --install`), clone the repository inside it and run the same command there.';
  }
  if (!PLATFORMS.includes(`${machine.platform}-${machine.arch}`)) {
    return `${machine.platform} on ${machine.arch} is not supported: use Linux or macOS on x64 or arm64 (a container or a virtual machine will do).`;
  }
  const major = Number.parseInt(machine.nodeVersion, 10);
  if (!(major >= OLDEST_NODE)) {
    return `Node ${machine.nodeVersion} is too old: install Node ${OLDEST_NODE} or newer (https://nodejs.org) and run the same command again.`;
  }
  return undefined;
}

/**
 * What a failed `npm ci` means for whoever ran it: without a network one sentence says it all, otherwise npm's words are needed too.
 * @param {string} output all that npm printed
 * @param {string} reason how npm ended
 * @returns {string}
 */
export function installFailure(output, reason) {
  if (NETWORK_FAULT.test(output)) {
    return 'The npm registry cannot be reached, so the dependencies cannot be installed: connect to the network (or set `registry` or `proxy` in your own ~/.npmrc) and run the same command again.';
  }
  const said = output.split('\n').filter((line) => !/^npm (?:http|warn|notice)/i.test(line));
  return `${said.join('\n').trim()}\nInstalling the dependencies failed (npm ci: ${reason}): fix what npm says above and run the same command again.`;
}

/** How many packages npm could not fetch, after all its attempts, for want of a network. */
function gaveUp(output) {
  const lastAttempts = output.match(new RegExp(`attempt ${RETRIES + 1} failed with E[A-Z_]+`, 'g')) || [];
  return lastAttempts.filter((attempt) => NETWORK_FAULT.test(attempt)).length;
}

/**
 * Whether what npm recorded in node_modules is what the lock file asks for. Entries for other platforms may be absent, nothing else may differ.
 * It lets an `npm install` done by hand count, instead of being wiped and done again.
 * @param {{ packages?: Record<string, { version?: string, optional?: boolean, link?: boolean }> }} wanted package-lock.json
 * @param {{ packages?: Record<string, { version?: string }> }} installed node_modules/.package-lock.json
 * @returns {boolean}
 */
export function installedMatches(wanted, installed) {
  const asked = new Map(Object.entries(wanted.packages || {}));
  const present = new Map(Object.entries(installed.packages || {}));
  asked.delete('');
  for (const name of present.keys()) if (!asked.has(name)) return false;
  for (const [name, entry] of asked) {
    const found = present.get(name);
    if (found ? found.version !== entry.version : !entry.optional) return false;
  }
  return true;
}

/** The Node 26 of the `node` npm package, or undefined while it is not installed. */
function pinnedNode(root) {
  const candidates = ['node_modules/.bin/node', 'node_modules/node/bin/node'];
  return candidates.map((candidate) => path.join(root, candidate)).find((candidate) => existsSync(candidate));
}

function isInstalled(root, lockHash) {
  if (!pinnedNode(root)) return false;
  const stamp = path.join(root, 'node_modules/.alga-install-stamp');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === lockHash) return true;
  try {
    const read = (file) => JSON.parse(readFileSync(path.join(root, file), 'utf8'));
    if (!installedMatches(read('package-lock.json'), read('node_modules/.package-lock.json'))) return false;
  } catch {
    return false; // no record of an install, or one cut short: installing again is always right
  }
  writeFileSync(stamp, lockHash);
  return true;
}

/** `npm ci`, quiet, with one progress line on stderr (stdout belongs to the script). Resolves to the failure, or undefined. */
function install(root) {
  const npmCli = process.env.npm_execpath;
  const throughNpm = npmCli && /npm-cli\.[cm]?js$/.test(npmCli);
  // `node` and the Postgres binaries are put in place by install scripts: a user-wide `ignore-scripts` must not leave them out.
  const args = ['ci', '--no-audit', '--no-fund', '--loglevel=http', '--ignore-scripts=false', '--include=dev'];
  args.push(`--fetch-retries=${RETRIES}`, '--fetch-retry-mintimeout=1000', '--fetch-retry-maxtimeout=5000');
  const started = Date.now();
  const label = 'Installing dependencies (npm ci)';
  const elapsed = () => `${Math.round((Date.now() - started) / 1000)} s`;
  const terminal = process.stderr.isTTY;
  process.stderr.write(terminal ? `${label} ...` : `${label} ... `);
  const ticker = terminal ? setInterval(() => process.stderr.write(`\r${label} ... ${elapsed()}`), 1000) : undefined;
  return new Promise((resolve) => {
    const npm = throughNpm
      ? spawn(process.execPath, [npmCli, ...args], { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
      : spawn('npm', args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    let over = false;
    const collect = (chunk) => {
      output += chunk;
      if (gaveUp(output) >= GIVE_UPS_BEFORE_OFFLINE) npm.kill('SIGTERM');
    };
    const end = (failure) => {
      if (over) return;
      over = true;
      clearInterval(ticker);
      clearTimeout(impatience);
      forwarding.stop();
      process.stderr.write(
        `${terminal ? `\r${label} ... ` : ''}${failure ? 'failed after' : 'done in'} ${elapsed()}\n`,
      );
      resolve(failure);
    };
    let impatience;
    const forwarding = forwardSignals(npm, () => {
      impatience = setTimeout(() => npm.kill('SIGKILL'), NPM_GRACE_MS);
    });
    npm.stdout.on('data', collect);
    npm.stderr.on('data', collect);
    npm.on('error', (error) =>
      end(`npm cannot be started (${error.code}): install npm, which comes with Node, and run the same command again.`),
    );
    npm.on('close', (code, signal) => {
      if (code === 0) end(undefined);
      else if (gaveUp(output) >= GIVE_UPS_BEFORE_OFFLINE) end(installFailure(output, 'no network'));
      else if (signal || forwarding.seen.size > 0)
        end('Installing the dependencies was interrupted: run the same command again.');
      else end(installFailure(output, `exit code ${code}`));
    });
  });
}

/**
 * Installs when needed, once, however many of these commands start together: the others wait for the one that installs.
 * @returns {Promise<string | undefined>} the failure as a sentence
 */
async function ensureInstalled(root) {
  const hash = () =>
    createHash('sha256')
      .update(readFileSync(path.join(root, 'package-lock.json')))
      .digest('hex');
  if (isInstalled(root, hash())) return undefined;
  const runtime = path.join(root, '.runtime');
  mkdirSync(runtime, { recursive: true });
  const release = await installLock(path.join(runtime, 'install.lock'));
  try {
    const lockHash = hash();
    if (isInstalled(root, lockHash)) return undefined;
    const failure = await install(root);
    if (failure) return failure;
    if (!pinnedNode(root)) {
      return 'npm did not install Node 26 (the `node` package): allow install scripts (`npm config delete ignore-scripts`), remove node_modules and run the same command again.';
    }
    writeFileSync(path.join(root, 'node_modules/.alga-install-stamp'), lockHash);
    return undefined;
  } finally {
    release();
  }
}

/** Holds `file` for this process; a holder that no longer runs does not count. */
async function installLock(file) {
  const own = `${file}.${process.pid}`;
  writeFileSync(own, String(process.pid));
  try {
    for (;;) {
      try {
        linkSync(own, file); // the lock appears with its content or not at all
        return () => rmSync(file, { force: true });
      } catch (error) {
        if (error.code !== 'EEXIST') throw error;
      }
      const holder = holderOf(file);
      if (holder > 0 && !isRunning(holder)) removeStale(file, holder, `${own}.stale`);
      else await new Promise((resolve) => setTimeout(resolve, 200));
    }
  } finally {
    rmSync(own, { force: true });
  }
}

/** Takes away the lock of a holder that died. Another waiter may have been faster: what turns out to be a live lock is put back. */
function removeStale(file, holder, aside) {
  try {
    renameSync(file, aside);
    if (holderOf(aside) !== holder) linkSync(aside, file);
  } catch (error) {
    if (error.code !== 'ENOENT' && error.code !== 'EEXIST') throw error;
  } finally {
    rmSync(aside, { force: true });
  }
}

function holderOf(file) {
  try {
    return Number(readFileSync(file, 'utf8'));
  } catch {
    return 0; // released between the two looks
  }
}

function isRunning(pid) {
  if (!(pid > 0)) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

/**
 * Passes SIGINT and SIGTERM on to the child, each once. A Ctrl-C in a terminal reaches the whole foreground group, the child
 * included, so with a terminal SIGINT is only outlived here.
 * @param {import('node:child_process').ChildProcess} child
 * @param {() => void} [onFirst] told once, of the first signal
 * @returns {{ seen: Set<string>, stop: () => void }} the signals that arrived, and the end of the forwarding
 */
function forwardSignals(child, onFirst = () => undefined) {
  const inTerminal = Boolean(process.stdin.isTTY || process.stdout.isTTY || process.stderr.isTTY);
  const seen = new Set();
  const forward = (signal) => {
    const repeated = seen.has(signal);
    if (seen.size === 0) onFirst();
    seen.add(signal);
    if (!repeated && !(signal === 'SIGINT' && inTerminal)) child.kill(signal);
  };
  process.on('SIGINT', forward);
  process.on('SIGTERM', forward);
  const stop = () => {
    process.off('SIGINT', forward);
    process.off('SIGTERM', forward);
  };
  return { seen, stop };
}

/** Runs the script on the pinned Node and resolves to the exit code to end with (128 + n for a signal, as a shell says it). */
function runScript(node, script, args) {
  const env = { ...process.env };
  delete env.NODE_NO_WARNINGS; // real warnings stay visible; only type stripping's is switched off
  const child = spawn(node, ['--disable-warning=ExperimentalWarning', script, ...args], { stdio: 'inherit', env });
  forwardSignals(child);
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code, signal) => resolve(signal ? 128 + constants.signals[signal] : code));
  });
}

async function main() {
  const why = refusal({ nodeVersion: process.versions.node, platform: process.platform, arch: process.arch });
  if (why) throw new Error(why);
  const [script, ...args] = process.argv.slice(2);
  if (!script) throw new Error('Say which script to run: node scripts/run.mjs scripts/demo.ts [arguments].');
  if (!existsSync(script)) throw new Error(`There is no script ${script}: give its path from the folder you are in.`);
  const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
  const failure = await ensureInstalled(root);
  if (failure) throw new Error(failure);
  return runScript(pinnedNode(root), script, args);
}

const isEntry = process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url);
if (isEntry) {
  main().then(
    (code) => {
      process.exitCode = code;
    },
    (error) => {
      process.stderr.write(`${error.message}\n`);
      // What is run with --exit promises one JSON object as its last line, and could not be run.
      if (process.argv.includes('--exit')) process.stdout.write(`${JSON.stringify({ ok: false, steps: [] })}\n`);
      process.exitCode = 1;
    },
  );
}
