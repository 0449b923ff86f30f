import { type Limits, resolveLimits } from '@alga/contracts';
import { installView } from './install-view.ts';
import { install, release } from './test-support/installs.ts';

describe('an install as its admin sees it', () => {
  it('says what runtime it has and the limits of a call, complete', () => {
    const asked = resolveLimits({ hostCalls: 5 });
    expect(installView(install({ release: release({ runtime: 'legacy', limits: asked }) }))).toMatchObject({
      runtime: 'legacy',
      limits: asked,
    });
    const stored = release();
    const old = { timeoutMs: 3_000, memoryMb: 16 } as Limits;
    const view = installView(install({ release: { ...stored, manifest: { ...stored.manifest, limits: old } } }));
    expect(view).toMatchObject({ runtime: 'component', limits: resolveLimits(old) });
  });
});
