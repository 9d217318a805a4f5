/** The address of everything that runs in a sandbox and is no node: applications, tests, the supervisor. */
export const clientHost = '10.77.0.2'

/** The address of the router, through which every packet from one node to another goes. */
export const routerHost = '10.77.0.1'

/** All addresses of a sandbox, as MariaDB writes them. No node has one that begins with 10.77.0: ports begin at 1024. */
export const anyHost = '10.77.%'

/** The file that stands for the network namespace of the router. */
export function routerNamespace(folder: string): string {
  return `${folder}/router`
}

/** The file that stands for the network namespace of the node with this address. */
export function nodeNamespace(folder: string, host: string): string {
  return `${folder}/${host}`
}
