import { existsSync, readdirSync, realpathSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import type { RabbitInstallation } from '../rabbitmq/installation.ts'
import { type Environment, findProgram, searchPath } from './search-path.ts'

/** The programs that were found, or the names of those that were not. */
export type RabbitSearch =
  | { readonly kind: 'found'; readonly installation: RabbitInstallation }
  | {
      readonly kind: 'missing'
      readonly programs: readonly string[]
      /** The server's own folder, when that is there; undefined: no RabbitMQ was found at all. */
      readonly home: string | undefined
    }

/**
 * Looks for RabbitMQ and Erlang: RABBITMQ_HOME first, then the search path, then where packages put them. The
 * command that Debian puts on the search path switches the user and the home, so the scripts behind it are taken.
 */
export function findRabbit(environment: Environment): RabbitSearch {
  const folders = searchPath(environment)
  const home = rabbitHomes(environment, folders).find(isRabbitHome)
  const erl = findProgram('erl', folders)
  const epmd = findProgram('epmd', [...folders, ...erlangFolders(erl)])
  const erlCall = findProgram('erl_call', [...folders, ...erlangFolders(erl)])
  const plugins = home === undefined ? [] : readdirSync(join(home, 'plugins')).sort()
  const version = rabbitVersion(plugins)
  if (
    home === undefined ||
    version === undefined ||
    erl === undefined ||
    epmd === undefined ||
    erlCall === undefined
  ) {
    const found = { 'rabbitmq-server': version, erl, epmd, erl_call: erlCall }
    return { kind: 'missing', programs: Object.keys(found).filter((name) => isMissing(found, name)), home }
  }
  return {
    kind: 'found',
    installation: { version, home, plugins, erlangBin: dirname(erl), epmd, erlCall },
  }
}

function isMissing(found: Readonly<Record<string, string | undefined>>, name: string): boolean {
  return found[name] === undefined
}

function rabbitHomes(environment: Environment, folders: readonly string[]): readonly string[] {
  const given = environment['RABBITMQ_HOME']
  return [
    ...(given === undefined ? [] : [given]),
    // The scripts of a package may be links into its private folder: <home>/sbin/rabbitmq-server.
    ...[...folders, '/usr/lib/rabbitmq/bin']
      .map((folder) => join(folder, 'rabbitmq-server'))
      .filter((path) => existsSync(path))
      .map((path) => dirname(dirname(realpathSync(path)))),
    ...foldersIn('/usr/lib/rabbitmq/lib'),
    ...foldersIn('/opt/rabbitmq'),
  ]
}

function isRabbitHome(home: string): boolean {
  return (
    existsSync(join(home, 'sbin', 'rabbitmq-server')) &&
    existsSync(join(home, 'escript')) &&
    existsSync(join(home, 'plugins'))
  )
}

// The folder of the server's own application, or its archive, carries the version: rabbit-3.10.8, rabbit-3.8.9.ez.
function rabbitVersion(plugins: readonly string[]): string | undefined {
  return plugins
    .map((plugin) => /^rabbit-(\d+\.\d+\.\d+[\w.+-]*?)(?:\.ez)?$/.exec(plugin)?.[1])
    .find((version) => version !== undefined)
}

// Programs that a package does not link into the search path are beside the virtual machine.
function erlangFolders(erl: string | undefined): readonly string[] {
  const roots = ['/usr/lib/erlang', '/usr/local/lib/erlang']
  if (erl !== undefined) roots.unshift(dirname(dirname(realpathSync(erl))))
  return roots.flatMap((root) => [
    join(root, 'bin'),
    ...foldersIn(root)
      .filter((folder) => basename(folder).startsWith('erts-'))
      .map((folder) => join(folder, 'bin')),
    ...foldersIn(join(root, 'lib'))
      .filter((folder) => basename(folder).startsWith('erl_interface-'))
      .map((folder) => join(folder, 'bin')),
  ])
}

function foldersIn(folder: string): readonly string[] {
  return existsSync(folder)
    ? readdirSync(folder)
        .sort()
        .map((name) => join(folder, name))
    : []
}
