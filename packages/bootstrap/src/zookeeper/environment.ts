import { dirname } from 'node:path'
import type { ZookeeperDeployment } from './place.ts'

/** What the programs of a lab run with: nothing of the user's own environment leaks in, JAVA_TOOL_OPTIONS least of all. */
export function environment({ folder, installation }: ZookeeperDeployment): Readonly<Record<string, string>> {
  return {
    HOME: folder,
    LANG: 'C.UTF-8',
    PATH: [dirname(installation.java), '/usr/local/bin', '/usr/bin', '/usr/sbin', '/bin', '/sbin'].join(':'),
  }
}
