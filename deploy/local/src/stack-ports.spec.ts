import { createServer, type Server } from 'node:net';
import { choosePorts, stackInstances } from './stack-ports.ts';

const occupy = (port: number) =>
  new Promise<Server>((resolve, reject) => {
    const server = createServer().listen(port, '127.0.0.1', () => resolve(server));
    server.once('error', reject);
  });

describe('choosePorts', () => {
  const instances = stackInstances(2);

  it('gives each instance its own free port', async () => {
    const ports = await choosePorts(instances, 'any', () => undefined);
    expect([...ports.keys()]).toEqual([
      'gateway',
      'control-plane',
      'registry',
      'secrets-broker',
      'runner-1',
      'runner-2',
    ]);
    expect(new Set(ports.values()).size).toBe(instances.length);
  });

  it('keeps off a reserved port, as usual one and as next', async () => {
    const reserved = new Set([8480, 8480 + instances.length]);
    const ports = await choosePorts(instances, 'preferred', () => undefined, reserved);
    expect([...ports.values()].filter((port) => reserved.has(port))).toEqual([]);
    expect(new Set(ports.values()).size).toBe(instances.length);
  });

  it('takes the next free one for a taken port and says so', async () => {
    const said: string[] = [];
    // Whoever listens on the usual port, this test or a stack that runs at this moment: it is taken.
    const occupant = await occupy(8480).catch(() => undefined);
    try {
      const ports = await choosePorts(instances, 'preferred', (line) => said.push(line));
      expect(ports.get('gateway')).toBeGreaterThanOrEqual(8480 + instances.length);
      expect(new Set(ports.values()).size).toBe(instances.length);
      expect(said).toContain(`port 8480 is taken: gateway listens on ${ports.get('gateway')}`);
    } finally {
      await new Promise((resolve) => (occupant === undefined ? resolve(undefined) : occupant.close(resolve)));
    }
  });
});
