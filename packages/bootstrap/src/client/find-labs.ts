import { didYouMean } from '@ha/core/driver'
import { isHeld, readLabLock } from '../lab/lab-lock.ts'
import {
  endAndRemoveLab,
  findPlan,
  labFolder,
  labNames,
  labsHome,
  leftoverNames,
} from '../machine/lab-folder.ts'
import { labError } from '../model/errors.ts'
import { Lab } from './lab.ts'
import { type CallOptions, sendRequest } from './supervisor-client.ts'

/** Where labs are looked for. */
export interface FindOptions {
  /** The folder of all labs; absolute. Default: HACTL_HOME, else `hactl` in the user's state folder. */
  readonly home?: string
}

/** The labs of this user, running or left behind by a crash. */
export function findLabs(options: FindOptions = {}): readonly Lab[] {
  const home = labsHome(options.home)
  return labNames(home).flatMap((name) => {
    const folder = labFolder(home, name)
    const plan = findPlan(folder)
    // One that was ended since its name was read is none.
    return plan === undefined ? [] : [new Lab(folder, plan)]
  })
}

/** What a crash left of a lab whose plan cannot be read. */
export interface Leftover {
  readonly name: string
  /** Ends what runs of it and removes its folder. */
  down(options?: CallOptions): Promise<void>
}

/** What crashes left that is no lab any more: `down` removes it, and a new lab of the same name replaces it. */
export function findLeftovers(options: FindOptions = {}): readonly Leftover[] {
  const home = labsHome(options.home)
  return leftoverNames(home).map((name) => leftoverIn(labFolder(home, name), name))
}

/** The lab of that name; without a name the only one there is. */
export function openLab(name: string | undefined, options: FindOptions = {}): Lab {
  const leftover = findLeftovers(options).find((candidate) => candidate.name === name)
  if (leftover !== undefined) throw labError('lab-unknown', leftoverMessage(leftover.name))
  return selectByName(findLabs(options), name)
}

/** The one of that name; without a name the only one there is. */
export function selectByName<T extends { readonly name: string }>(
  all: readonly T[],
  name: string | undefined,
): T {
  const names = all.map((one) => one.name)
  if (all.length === 0) {
    throw labError('lab-unknown', 'there is no lab; type: hactl up rabbitmq')
  }
  if (name === undefined && all.length > 1) {
    throw labError('lab-ambiguous', `there are several labs: ${names.join(', ')}; say which one with --name`)
  }
  const chosen = name === undefined ? all[0] : all.find((candidate) => candidate.name === name)
  if (chosen === undefined) {
    throw labError(
      'lab-unknown',
      `there is no lab '${name}', only ${names.join(', ')}${didYouMean(name ?? '', names)}`,
    )
  }
  return chosen
}

/** What is said about a leftover, with what to type. */
export function leftoverMessage(name: string): string {
  return `${name} is what a crash left of a lab, without a plan that can be read; type: hactl down --name ${name}`
}

/** The leftover of that name in this folder. */
function leftoverIn(folder: string, name: string): Leftover {
  return {
    name,
    async down(options = {}) {
      const claim = readLabLock(folder)
      // A supervisor that runs read the plan while it could be read.
      if (claim !== undefined && isHeld(claim)) await sendRequest(claim, { verb: 'down' }, options)
      else await endAndRemoveLab(folder)
    },
  }
}
