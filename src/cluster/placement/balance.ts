/** A placement under search: slots, the devices they are on, and the load of each device, kept up as experts move. */
import type { LayerMap } from "../expert-map.ts";

/**
 * A placement that can be changed. Loads are kept for several cases side by side, the whole text and stretches of it, as multiples of
 * the mean device's. Both changes take themselves back: the same swap again, and the replacement by what was there.
 */
export type Balance = {
  readonly slots: number;
  readonly cases: number;
  readonly expertAt: (slot: number) => number;
  readonly deviceOf: (slot: number) => number;
  /** The slots of a device: the first, and how many follow one another. */
  readonly slotsOn: (device: number) => readonly [first: number, count: number];
  readonly copies: (expert: number) => number;
  /** How many copies of an expert a device holds. */
  readonly heldBy: (device: number, expert: number) => number;
  /** Exchange what two slots hold. */
  readonly swap: (a: number, b: number) => void;
  /** Let a slot hold another expert; the one it held must have more copies. */
  readonly replace: (slot: number, expert: number) => void;
  /** The fullest device in a case. */
  readonly fullest: (of: number) => number;
  /** The load of the fullest device in a case, over the mean. */
  readonly peak: (of: number) => number;
  /**
   * What the fullest device may come to when loads scatter by about `scatter`: the logarithm of the sum of exponentials, which also sees devices
   * that are nearly as full.
   */
  readonly softPeak: (of: number, scatter: number) => number;
  /** The load of the heaviest copy of an expert in the first case, over the mean device's. */
  readonly heaviestCopy: () => number;
  /** The loads of single copies in the first case, each expert's once, over the mean device's. */
  readonly copyLoads: () => number;
  readonly layer: () => LayerMap;
};

const add = (to: Float64Array, at: number, amount: number): void => void (to[at] = (to[at] ?? 0) + amount);

/** Begin with a placement. Each case is the load of every expert. */
export function balanceOf(start: LayerMap, cases: readonly ArrayLike<number>[]): Balance {
  const devices = start.length;
  const experts = cases[0]?.length ?? 0;
  const expertAt = Int32Array.from(start.flat());
  const deviceOf = Int32Array.from(start.flatMap((held, device) => held.map(() => device)));
  const firstOn = start.map((_, device) => start.slice(0, device).reduce((n, held) => n + held.length, 0));
  const slotsOf = Array.from({ length: experts }, (): number[] => []);
  const held = new Int32Array(devices * experts);
  const count = (device: number, expert: number, by: 1 | -1): void => {
    held[device * experts + expert] = (held[device * experts + expert] ?? 0) + by;
  };
  expertAt.forEach((expert, slot) => {
    slotsOf[expert]?.push(slot);
    count(deviceOf[slot] ?? 0, expert, 1);
  });
  /** By case, then expert; and by case, then device. */
  const share = Float64Array.from(cases.flatMap((loads) => shares(loads, devices)));
  const onDevice = new Float64Array(cases.length * devices);

  /** Add `factor` times the load of one copy of an expert to all its devices. */
  const weigh = (expert: number, factor: number): void => {
    const slots = slotsOf[expert] ?? [];
    for (let c = 0; c < cases.length; c++) {
      const each = (factor * (share[c * experts + expert] ?? 0)) / slots.length;
      for (const slot of slots) add(onDevice, c * devices + (deviceOf[slot] ?? 0), each);
    }
  };
  for (let e = 0; e < experts; e++) weigh(e, 1);

  /** A copy of an expert goes from one slot to another, whose own has left or is about to. */
  const move = (expert: number, slot: number, to: number): void => {
    const slots = slotsOf[expert] ?? [];
    const [from, goal] = [deviceOf[slot] ?? 0, deviceOf[to] ?? 0];
    for (let c = 0; c < cases.length; c++) {
      const each = (share[c * experts + expert] ?? 0) / slots.length;
      add(onDevice, c * devices + from, -each);
      add(onDevice, c * devices + goal, each);
    }
    count(from, expert, -1);
    count(goal, expert, 1);
    slots[slots.indexOf(slot)] = to;
    expertAt[to] = expert;
  };

  let copyLoads = 0;
  const countCopies = (expert: number, factor: 1 | -1): void => {
    copyLoads += (factor * (share[expert] ?? 0)) / (slotsOf[expert]?.length ?? 1);
  };
  for (let e = 0; e < experts; e++) countCopies(e, 1);
  const take = (expert: number, factor: 1 | -1): void => {
    weigh(expert, factor);
    countCopies(expert, factor);
  };

  const fullest = (of: number): number => {
    const first = of * devices;
    let at = first;
    for (let d = first + 1; d < first + devices; d++) if ((onDevice[d] ?? 0) > (onDevice[at] ?? 0)) at = d;
    return at - first;
  };
  return {
    slots: expertAt.length,
    cases: cases.length,
    expertAt: (slot) => expertAt[slot] ?? 0,
    deviceOf: (slot) => deviceOf[slot] ?? 0,
    slotsOn: (device) => [firstOn[device] ?? 0, start[device]?.length ?? 0],
    copies: (expert) => slotsOf[expert]?.length ?? 0,
    heldBy: (device, expert) => held[device * experts + expert] ?? 0,
    swap: (a, b) => {
      const [x, y] = [expertAt[a] ?? 0, expertAt[b] ?? 0];
      move(x, a, b);
      move(y, b, a);
    },
    replace: (slot, expert) => {
      const old = expertAt[slot] ?? 0;
      const device = deviceOf[slot] ?? 0;
      take(old, -1);
      take(expert, -1);
      slotsOf[old]?.splice(slotsOf[old].indexOf(slot), 1);
      slotsOf[expert]?.push(slot);
      count(device, old, -1);
      count(device, expert, 1);
      expertAt[slot] = expert;
      take(old, 1);
      take(expert, 1);
    },
    copyLoads: () => copyLoads,
    fullest,
    peak: (of) => onDevice[of * devices + fullest(of)] ?? 0,
    softPeak: (of, scatter) => {
      const peak = onDevice[of * devices + fullest(of)] ?? 0;
      let sum = 0;
      for (let d = of * devices; d < (of + 1) * devices; d++)
        sum += Math.exp(((onDevice[d] ?? 0) - peak) / scatter);
      return peak + scatter * Math.log(sum);
    },
    heaviestCopy: () => {
      let most = 0;
      for (let e = 0; e < experts; e++) most = Math.max(most, (share[e] ?? 0) / (slotsOf[e]?.length ?? 1));
      return most;
    },
    layer: () => {
      const lists = Array.from({ length: devices }, (): number[] => []);
      expertAt.forEach((expert, slot) => lists[deviceOf[slot] ?? 0]?.push(expert));
      return lists.map((it) => it.sort((a, b) => a - b));
    },
  };
}

/** Loads as multiples of what a device has on average. */
function shares(loads: ArrayLike<number>, devices: number): readonly number[] {
  const each = Array.from(loads);
  const all = each.reduce((a, b) => a + b, 0);
  return each.map((it) => (all > 0 ? (it / all) * devices : 0));
}
