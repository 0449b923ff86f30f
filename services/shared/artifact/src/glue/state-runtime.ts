/** All names that are added to the glue begin with it. */
export const PREFIX = '$alga';

/**
 * Functions that the added code calls, as source. An object that is found after a call and was not there before is a task,
 * a handle or a borrow that the call has left: the state is then not put back, and the instance is thrown away.
 */
export const STATE_RUNTIME = `
    const ${PREFIX}Plain = (value) => value === null || (typeof value !== 'object' && typeof value !== 'function');
    const ${PREFIX}Constant = (value) => ${PREFIX}Plain(value) || value instanceof DataView;
    const ${PREFIX}ListItem = (value) => ${PREFIX}Plain(value) || (Array.isArray(value) && '_createdReps' in value);
    const ${PREFIX}Empty = (value) => Array.isArray(value) && value.length === 0;
    const ${PREFIX}MapEntry = ([, value]) => ${PREFIX}Plain(value) || value instanceof WebAssembly.Global;
    const ${PREFIX}RestoreList = (list, saved) => {
      for (let index = 0; index < list.length; index++) {
        if (!${PREFIX}Plain(list[index]) && list[index] !== saved[index]) return false;
      }
      list.length = saved.length;
      for (let index = 0; index < saved.length; index++) list[index] = saved[index];
      return true;
    };
    const ${PREFIX}SameMap = (map, saved) => {
      if (map.size !== saved.length) return false;
      for (let index = 0; index < saved.length; index++) {
        if (map.get(saved[index][0]) !== saved[index][1]) return false;
      }
      return true;
    };
    const ${PREFIX}RestoreMap = (map, saved) => {
      if (${PREFIX}SameMap(map, saved)) return true;
      for (const [key, value] of map) {
        const kept = saved.some((entry) => entry[0] === key && entry[1] === value);
        if (!kept && !${PREFIX}Plain(value) && !${PREFIX}Empty(value)) return false;
      }
      map.clear();
      for (const [key, value] of saved) map.set(key, value);
      return true;
    };
    const ${PREFIX}RestoreSet = (set, saved) => {
      set.clear();
      for (const value of saved) set.add(value);
    };
    const ${PREFIX}RestoreRecord = (record, saved) => {
      for (const key of Object.keys(record)) {
        if (!(key in saved)) delete record[key];
      }
      for (const key in saved) record[key] = saved[key];
    };
    const ${PREFIX}Idle = (states) => {
      for (const state of states.values()) {
        if (!state.suspendedTaskMetas().next().done) return false;
      }
      return true;
    };`;
