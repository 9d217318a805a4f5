import type { FakeNode } from '@ha/testing/zookeeper'
import type { ServiceView } from '../../src/discovery/service-view.ts'
import { type Harness, openHarness } from '../harness.ts'

export { sessionMs, tickMs } from '../harness.ts'

/** An ensemble and its clients in virtual time, ended with the test. */
export interface World extends Harness, AsyncDisposable {}

export async function openWorld(seed = 1): Promise<World> {
  const bench = await openHarness(seed)
  return { ...bench, [Symbol.asyncDispose]: () => bench.close() }
}

/** Lets only these servers take connections while something is done. */
export async function onlyAt<T>(
  { ensemble }: Pick<Harness, 'ensemble'>,
  fits: (node: FakeNode) => boolean,
  work: () => Promise<T>,
): Promise<T> {
  const others = ensemble.nodes.filter((node) => !fits(node))
  for (const node of others) node.refuse()
  const result = await work()
  for (const node of others) node.admit()
  return result
}

/** The ids of a view, sorted. */
export function idsOf(view: ServiceView): readonly string[] {
  return view
    .all()
    .map(({ id }) => id)
    .sort()
}

/** The children of a node with their data, as all servers agree. */
export function contentsOf(
  { ensemble }: Pick<Harness, 'ensemble'>,
  folder: string,
): ReadonlyMap<string, string> {
  const below = [...ensemble.tree()].filter(([path]) => path.startsWith(`${folder}/`))
  return new Map(below.map(([path, { data }]) => [path, String(data)]))
}
