import { againInSandbox, findSandbox, type Sandbox } from './sandbox.ts'

/** Where a drill is run, and with which faults. */
export type Place<F extends string> =
  | { readonly kind: 'here'; readonly faults: readonly F[] }
  | { readonly kind: 'in a sandbox' }
  | { readonly kind: 'nowhere' }

/**
 * Runs a drill where its faults can be played: a partition takes a sandbox, in which the same command is run again.
 * Where there can be none, a partition among other faults is left out, and one that was asked for alone is a failure.
 */
export async function runWhereFaultsCanBe<F extends string>(
  wanted: readonly F[],
  drill: (faults: readonly F[]) => Promise<boolean>,
): Promise<boolean> {
  if (!wanted.some(isPartition)) return drill(wanted)
  const sandbox = await findSandbox()
  const place = placeFor(wanted, sandbox.kind)
  if (sandbox.kind === 'missing') {
    const words = place.kind === 'here' ? 'Left out' : 'Cannot be played here'
    console.log(`${words}: --fault partition: ${sandbox.because}`)
  }
  if (place.kind === 'here') return drill(place.faults)
  return place.kind === 'in a sandbox' && againInSandbox()
}

/** Where a drill can be run that wants a partition. */
export function placeFor<F extends string>(wanted: readonly F[], sandbox: Sandbox['kind']): Place<F> {
  switch (sandbox) {
    case 'inside':
      return { kind: 'here', faults: wanted }
    case 'available':
      return { kind: 'in a sandbox' }
    case 'missing': {
      const faults = withoutPartition(wanted)
      return faults.length === 0 ? { kind: 'nowhere' } : { kind: 'here', faults }
    }
  }
}

/** The faults that need no sandbox. */
export function withoutPartition<F extends string>(faults: readonly F[]): readonly F[] {
  return faults.filter((fault) => !isPartition(fault))
}

function isPartition(fault: string): boolean {
  return fault === 'partition'
}
