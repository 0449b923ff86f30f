// Adds `state: { save(), restore() }` to what jco's glue returns, so that an instance can be used again: every piece of
// state that the glue keeps is put back to what it was when the instance had come into being (I4).
import { type Piece, takeInventory } from './inventory.ts';
import { Obstacle, obstacle } from './obstacle.ts';
import { type Glue, isSame, readGlue } from './shape.ts';
import { PREFIX, STATE_RUNTIME } from './state-runtime.ts';

/** `obstacle`: why the state cannot be put back. `restore` then always says so, and the instance is used once. */
export type SealedGlue =
  | { readonly ok: true; readonly source: string; readonly obstacle: string | undefined }
  | { readonly ok: false; readonly reason: string };

/** State of components, which jco makes anew where there is none: see {@link RECREATES}. */
const RECREATED = 'ASYNC_STATE';
const RECREATES = {
  name: 'getOrCreateAsyncState',
  source: `function getOrCreateAsyncState(componentIdx, init) {
    if (!ASYNC_STATE.has(componentIdx)) {
      const newState = new ComponentAsyncState({ componentIdx });
      ASYNC_STATE.set(componentIdx, newState);
    }
    return ASYNC_STATE.get(componentIdx);
  }`,
};

/** After one of these an instance is not used again, whatever can be put back. */
const FAILED: Readonly<Record<string, string>> = {
  STORE_TRAP: 'STORE_TRAP.error !== null',
  STORE_ASYNC_STATE: 'STORE_ASYNC_STATE.pendingHostOperations !== 0',
};

/** @param source glue as the pinned jco generates it. Refused where even its outline is another one. */
export function sealGlue(source: string): SealedGlue {
  try {
    if (source.includes(PREFIX)) return { ok: false, reason: `the glue uses the name ${PREFIX}` };
    const glue = readGlue(source);
    const handler = handlerOf(glue);
    let problem: string | undefined;
    let instance = `{ handler: ${handler}, state: Object.freeze({ __proto__: null, save() {}, restore: () => false }) }`;
    try {
      instance = instanceCode(glue, handler);
    } catch (error) {
      if (!(error instanceof Obstacle)) throw error;
      problem = error.message;
    }
    const result = `return ${instance};`;
    return {
      ok: true,
      source: source.slice(0, glue.result.start) + result + source.slice(glue.result.end),
      obstacle: problem,
    };
  } catch (error) {
    if (error instanceof Obstacle) return { ok: false, reason: error.message };
    if (error instanceof SyntaxError) return { ok: false, reason: 'the glue is not JavaScript' };
    throw error;
  }
}

function handlerOf({ result }: Glue): string {
  const properties = result.argument?.type === 'ObjectExpression' ? result.argument.properties : [];
  for (const property of properties) {
    if (property.type !== 'Property' || property.key.type !== 'Identifier' || property.key.name !== 'handler') continue;
    if (property.value.type === 'Identifier') return property.value.name;
  }
  return obstacle('the glue does not return a handler');
}

/** Between calls `calls` is 0; a call that has failed is never over. */
function instanceCode(glue: Glue, handler: string): string {
  const { pieces, frozen, sealed } = takeInventory(glue);
  const recreates = glue.outer.find((node) => node.type === 'FunctionDeclaration' && node.id?.name === RECREATES.name);
  if (!pieces.some(({ name }) => name === RECREATED) || !isSame(glue.source, recreates, RECREATES.source)) {
    obstacle(`the glue keeps the state of components elsewhere than in ${RECREATED}`);
  }
  const saves = pieces.map((piece, index) => saveCode(piece, `saved[${index}]`));
  const restores = pieces.map((piece, index) => restoreCode(piece, `saved[${index}]`));
  const failures = pieces.flatMap(({ name }) => FAILED[name] ?? []);
  return `(() => {
    ${STATE_RUNTIME}
    const ${PREFIX}Handler = ${handler};
    const saved = [];
    let sound = false;
    let calls = 0;
    return {
      async handler(request) {
        calls++;
        const response = await ${PREFIX}Handler(request);
        calls--;
        return response;
      },
      state: Object.freeze({ __proto__: null,
        save() {
          ${frozen.map((name) => `Object.freeze(${name});`).join('\n')}
          ${sealed.map((name) => `Object.seal(${name});`).join('\n')}
          sound = true;
          ${saves.join('\n')}
        },
        restore() {
          if (${['!sound', 'calls !== 0', ...failures].join(' || ')}) return false;
          ${restores.join('\n')}
          return true;
        },
      }),
    };
  })()`;
}

/** A value that cannot be put back makes the whole state unsound. */
function saveCode({ kind, name }: Piece, slot: string): string {
  switch (kind) {
    case 'value':
      return `${slot} = ${name}; sound &&= ${PREFIX}Constant(${slot});`;
    case 'list':
      return `${slot} = [...${name}]; sound &&= ${slot}.every(${PREFIX}ListItem);`;
    case 'map':
      return `${slot} = [...${name}]; sound &&= ${slot}.every(${PREFIX}MapEntry);`;
    case 'captures':
      return `${slot} = [...${name}];`;
    case 'set':
      return `${slot} = [...${name}]; sound &&= ${slot}.every(${PREFIX}Plain);`;
    case 'record':
      return `${slot} = { __proto__: null, ...${name} }; sound &&= Object.values(${slot}).every(${PREFIX}Plain);`;
    case 'global':
      return `sound &&= ${name} instanceof WebAssembly.Global; ${slot} = ${name}.value;`;
    case 'handles':
      return `${slot} = [[...${name}], [...${name}._createdReps]]; sound &&= ${slot}.flat().every(${PREFIX}Plain);`;
    case 'scratch':
      return '';
  }
}

function restoreCode({ kind, name }: Piece, slot: string): string {
  switch (kind) {
    case 'value':
      return `${name} = ${slot};`;
    case 'list':
      return `if (!${PREFIX}RestoreList(${name}, ${slot})) return false;`;
    case 'map':
      if (name === RECREATED) return `if (!${PREFIX}Idle(${name})) return false; ${name}.clear();`;
      return `if (!${PREFIX}RestoreMap(${name}, ${slot})) return false;`;
    case 'captures':
      return `if (!${PREFIX}SameMap(${name}, ${slot})) return false;`;
    case 'set':
      return `${PREFIX}RestoreSet(${name}, ${slot});`;
    case 'record':
      return `${PREFIX}RestoreRecord(${name}, ${slot});`;
    case 'global':
      return `if (${name}.value !== ${slot}) ${name}.value = ${slot};`;
    case 'handles':
      return `if (!${PREFIX}RestoreList(${name}, ${slot}[0])) return false; ${PREFIX}RestoreSet(${name}._createdReps, ${slot}[1]);`;
    case 'scratch':
      return `new Uint8Array(${name}.buffer).fill(0);`;
  }
}
