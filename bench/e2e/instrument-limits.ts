/** Notes of runs in which generator or sink, and not the relay, limited the figures. */

/** The generator sent too little or too late. */
export const GENERATOR_SLOW = "the generator was the bottleneck";
/** The kernel dropped datagrams at the sink. */
export const SINK_SLOW = "the sink was too slow";
/** The relay may carry more than was measured. */
export const OFFERED_TOO_LITTLE = "the generator offered less than twice the throughput";
/** The same note in results from before it was reworded. */
const OFFERED_TOO_LITTLE_OLD = "offered less than twice what was carried: the generator's limit";

interface Noted {
  notes?: readonly string[] | undefined;
}

/** Whether the figures are those of the instrument. They say nothing about the relay. */
export function isWorthless({ notes = [] }: Noted): boolean {
  return notes.includes(GENERATOR_SLOW) || notes.includes(SINK_SLOW);
}

/** Whether the measured throughput is only a lower bound. */
export function isLowerBound({ notes = [] }: Noted): boolean {
  return notes.includes(OFFERED_TOO_LITTLE) || notes.includes(OFFERED_TOO_LITTLE_OLD);
}
