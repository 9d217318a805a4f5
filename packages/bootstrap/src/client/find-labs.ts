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
import { type SupervisorCallOptions, sendRequest } from './supervisor-client.ts'

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
    // The lab was removed since its name was read.
    return plan === undefined ? [] : [new Lab(folder, plan)]
  })
}

/** The rest of a lab whose plan a crash has made unreadable. */
export interface LabLeftover {
  readonly name: string
  /** Ends its processes and removes its folder. */
  down(options?: SupervisorCallOptions): Promise<void>
}

/** What crashes have left without a readable plan: `down` removes it, and a new lab of the same name replaces it. */
export function findLeftovers(options: FindOptions = {}): readonly LabLeftover[] {
  const home = labsHome(options.home)
  return leftoverNames(home).map((name) => leftoverIn(labFolder(home, name), name))
}

/** The lab of that name; without a name, the only lab. */
export function openLab(name: string | undefined, options: FindOptions = {}): Lab {
  const leftover = findLeftovers(options).find((candidate) => candidate.name === name)
  if (leftover !== undefined) throw labError('lab-unknown', leftoverMessage(leftover.name))
  return selectByName(findLabs(options), name)
}

/** The lab of that name; without a name, the only lab that has this node, else the only lab. */
export function openLabOf(node: string, name: string | undefined, options: FindOptions = {}): Lab {
  if (name !== undefined) return openLab(name, options)
  const labs = findLabs(options)
  const having = labs.filter((lab) => lab.nodes.some((one) => one.name === node))
  const [lab] = having
  if (lab !== undefined && having.length === 1) return lab
  // The only lab says itself which nodes it has.
  if (labs.length <= 1) return openLab(undefined, options)
  if (lab === undefined) throw nodeOfNoLab(node, labs)
  const names = having.map((one) => one.name).join(', ')
  throw labError('lab-ambiguous', `several labs have a node '${node}': ${names}; choose one with --name`)
}

function nodeOfNoLab(node: string, labs: readonly Lab[]): Error {
  const names = labs.flatMap((lab) => lab.nodes.map(({ name }) => name))
  const lists = labs.map((lab) => `${lab.name} has ${lab.nodes.map(({ name }) => name).join(', ')}`)
  return labError(
    'node-unknown',
    `no lab has a node '${node}': ${lists.join('; ')}${didYouMean(node, names)}`,
  )
}

/** The entry of that name; without a name, the only entry. */
export function selectByName<T extends { readonly name: string }>(
  all: readonly T[],
  name: string | undefined,
): T {
  const names = all.map((one) => one.name)
  if (all.length === 0) {
    throw labError('lab-unknown', 'there is no lab; run: hactl up rabbitmq')
  }
  if (name === undefined && all.length > 1) {
    throw labError('lab-ambiguous', `there are several labs: ${names.join(', ')}; choose one with --name`)
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

/** The message about a leftover, with the command that removes it. */
export function leftoverMessage(name: string): string {
  return `${name} is the rest of a lab that crashed, without a readable plan; run: hactl down --name ${name}`
}

/** The leftover of that name in this folder. */
function leftoverIn(folder: string, name: string): LabLeftover {
  return {
    name,
    async down(options = {}) {
      const lock = readLabLock(folder)
      // The running supervisor read the plan before the plan became unreadable.
      if (lock !== undefined && isHeld(lock)) await sendRequest(lock, { verb: 'down' }, options)
      else await endAndRemoveLab(folder)
    },
  }
}
