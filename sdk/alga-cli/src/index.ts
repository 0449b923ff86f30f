export { type BuiltComponent, buildComponent } from './build-component.ts';
export type { Outcome, Problem, Progress } from './outcome.ts';
export { type PackedBundle, packBundle } from './pack-bundle.ts';
export { type PublishedVersion, type PublishOptions, publishBundle } from './publish-bundle.ts';
export { renderProblem } from './report.ts';
