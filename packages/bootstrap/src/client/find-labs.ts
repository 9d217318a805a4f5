import { didYouMean } from '@ha/core'
import { labFolder, labNames, labsHome } from '../machine/lab-folder.ts'
import { labError } from '../model/codes.ts'
import { Lab } from './lab.ts'

/** Where labs are looked for. */
export interface FindOptions {
  /** The folder of all labs. Default: HACTL_HOME, else `hactl` in the user's state folder. */
  readonly home?: string
}

/** The labs of this user, running or left behind by a crash. */
export function findLabs(options: FindOptions = {}): readonly Lab[] {
  const home = labsHome(options.home)
  return labNames(home).map((name) => new Lab(labFolder(home, name)))
}

/** The lab of that name; without a name the only one there is. */
export function openLab(name: string | undefined, options: FindOptions = {}): Lab {
  const labs = findLabs(options)
  const names = labs.map((lab) => lab.name)
  if (labs.length === 0) {
    throw labError('lab-unknown', 'there is no lab; type: hactl up rabbitmq')
  }
  if (name === undefined && labs.length > 1) {
    throw labError('lab-ambiguous', `there are several labs: ${names.join(', ')}; say which one with --name`)
  }
  const lab = name === undefined ? labs[0] : labs.find((candidate) => candidate.name === name)
  if (lab === undefined) {
    throw labError(
      'lab-unknown',
      `there is no lab '${name}', only ${names.join(', ')}${didYouMean(name ?? '', names)}`,
    )
  }
  return lab
}
