import { Call } from './call.ts';
import { monotonicMs } from './interruption.ts';

const LIMITS = { wallMs: 60_000, cpuMs: 60_000, liftedBytes: 100, outputChars: 100 };
const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

function open(limits: Partial<typeof LIMITS> = {}) {
  const told: unknown[] = [];
  const call = new Call(1, { ...LIMITS, ...limits }, monotonicMs(), (message) => told.push(message));
  return { call, told, write: (text: string) => call.write('stdout', new TextEncoder().encode(text)) };
}

describe('the timers of a call', () => {
  it('ring at its deadline at the latest', async () => {
    const { call } = open({ wallMs: 30 });
    const begun = monotonicMs();
    await new Promise<void>((resolve) => call.after(3_600_000, resolve));
    expect(monotonicMs() - begun).toBeLessThan(5_000);
  });

  it('ring at once, and once, when its guest is thrown out', async () => {
    const { call } = open();
    const rung: string[] = [];
    call.after(5, () => rung.push('soon'));
    call.after(3_600_000, () => rung.push('in an hour'));
    call.unwind();
    expect(rung).toEqual(['soon', 'in an hour']);
    await wait(20);
    call.unwind();
    expect(rung).toHaveLength(2);
  });

  it('do not ring when it has ended, and do not hold the process', async () => {
    const { call } = open();
    const rung: string[] = [];
    const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
    const before = timers();
    call.after(5, () => rung.push('before'));
    call.end();
    call.after(5, () => rung.push('after'));
    expect(timers()).toBe(before);
    await wait(20);
    expect(rung).toEqual([]);
  });
});

describe('the output of a call', () => {
  it('is told when the turn ends, as one', () => {
    const { call, told, write } = open();
    for (const text of 'many') write(text);
    expect(told).toEqual([]);
    call.turnEnded();
    expect(told).toEqual([{ type: 'output', call: 1, stream: 'stdout', text: 'many' }]);
    call.turnEnded();
    expect(told).toHaveLength(1);
  });

  it.each([
    ['cancelled', { wallMs: 60_000 }, { cancelled: true }],
    ['over its processor time', { wallMs: 60_000 }, { overrun: 'cpu_exceeded' }],
    ['past its deadline', { wallMs: 0 }, {}],
  ] as const)('is dropped where the call is %s', (_name, limits, state) => {
    const { call, told, write } = open(limits);
    write('early');
    Object.assign(call, state);
    write('late');
    call.turnEnded();
    expect(told).toEqual([]);
  });
});
