/** A manifest that is valid, with parts of it replaced. */
export const manifestOf = (parts: Readonly<Record<string, unknown>> = {}): string =>
  JSON.stringify({
    manifestVersion: 1,
    extensionId: 'sample',
    version: '1.0.0',
    title: 'Sample',
    runtime: 'component',
    component: 'component.wasm',
    capabilities: ['context.read', 'secrets.get'],
    ...parts,
  });
