import { processorMs, residentBytes } from './process-usage.ts';

const onLinux = process.platform === 'linux' ? it : it.skip;

describe('what a process uses', () => {
  onLinux('is what the process itself sees', () => {
    const end = performance.now() + 60;
    while (performance.now() < end) {
      // computing, for several ticks of the kernel's clock
    }
    const { user, system } = process.cpuUsage();
    expect(Math.abs((processorMs(process.pid) ?? 0) - (user + system) / 1_000)).toBeLessThan(200);
    const resident = residentBytes(process.pid) ?? 0;
    expect(resident / process.memoryUsage.rss()).toBeGreaterThan(0.8);
    expect(resident / process.memoryUsage.rss()).toBeLessThan(1.25);
  });

  it('is not known of a process that is gone, or was never there', () => {
    expect([processorMs(undefined), residentBytes(undefined)]).toEqual([undefined, undefined]);
    expect([processorMs(2 ** 30), residentBytes(2 ** 30)]).toEqual([undefined, undefined]);
  });
});
