import { fork } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { underKernelLimits } from './kernel-limits.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'alga-limits-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Linux counts private mappings as data; other kernels do not. */
const onLinux = process.platform === 'linux' ? it : it.skip;

async function end(source: string, limits: Parameters<typeof underKernelLimits>[0]) {
  const program = path.join(folder, `program-${Math.random()}.mjs`);
  writeFileSync(program, source);
  const child = fork(program, [], {
    ...underKernelLimits(limits, []),
    env: {},
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  });
  const said: unknown[] = [];
  child.on('message', (message) => said.push(message));
  return new Promise<{ said: unknown[]; signal: string | null }>((resolve) =>
    child.once('exit', (_code, signal) => resolve({ said, signal })),
  );
}

const WITHIN = { memoryMb: 512, cpuSeconds: 60 };

const linearMemory = (megabytes: number) => `
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 65536 });
  try { memory.grow(${megabytes * 16}); new Uint8Array(memory.buffer).fill(1); process.send('had'); }
  catch { process.send('refused'); }
  process.disconnect();`;

const buffers = (megabytes: number) => `
  try { for (let n = 0; n < ${megabytes}; n += 64) (globalThis.all ??= []).push(new Uint8Array(64 << 20).fill(1)); process.send('had'); }
  catch { process.send('refused'); }
  process.disconnect();`;

describe('the kernel’s limits', () => {
  onLinux.each([
    ['a linear memory', linearMemory],
    ['buffers', buffers],
  ])('bound %s, which V8’s own do not', async (_kind, program) => {
    expect(await end(program(256), WITHIN)).toEqual({ said: ['had'], signal: null });
    const { said } = await end(program(2_048), WITHIN);
    // Node may also find no memory for the message.
    expect(said).not.toContain('had');
  });

  it('end a process that computes on and on', async () => {
    expect((await end('for (;;);', { memoryMb: 512, cpuSeconds: 1 })).signal).toBe('SIGXCPU');
  });
});
