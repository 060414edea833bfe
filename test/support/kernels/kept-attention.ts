/** Attention whose sums the vector cores keep, as the formula cuts it best. */
import type { Profile } from "../../../src/machine/profile.ts";
import type { Kernel } from "../../../src/machine/schedule/kernel.ts";
import {
  attention,
  shapeOf,
  type AttentionSpec,
} from "../../../targets/device/kernels/attention/attention.ts";
import { attentionTiles, type AttentionTile } from "../../../targets/device/kernels/attention/tile.ts";

export function keptTile(profile: Profile, spec: AttentionSpec): AttentionTile {
  const [tile] = attentionTiles(profile, shapeOf(spec), 1);
  if (!tile) throw new Error("it is not cut so");
  return tile;
}

export const kept = (profile: Profile, spec: AttentionSpec): Kernel =>
  attention(profile, spec, keptTile(profile, spec));
