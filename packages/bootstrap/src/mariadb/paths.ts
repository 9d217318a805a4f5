import type { MariadbDeployment } from './place.ts'

/** Where the files of one server are; all absolute. */
export interface ServerPaths {
  readonly conf: string
  readonly startScript: string
  readonly data: string
  readonly socket: string
}

/** Where the files of the server of that name are. */
export function serverPaths(
  { dataFolder }: Pick<MariadbDeployment, 'dataFolder'>,
  node: string,
): ServerPaths {
  return {
    conf: `${dataFolder}/conf/${node}.cnf`,
    startScript: `${dataFolder}/conf/${node}.sh`,
    data: `${dataFolder}/${node}`,
    socket: `${dataFolder}/${node}.sock`,
  }
}
