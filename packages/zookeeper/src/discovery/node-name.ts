import { checkPath } from '../operations/paths.ts'
import { ZookeeperError } from '../zookeeper-error.ts'

/** The text, when it can be the name of one node; `what` begins the error that it is answered with if not. */
export function checkNodeName(value: unknown, what: string): string {
  if (typeof value !== 'string' || value === '' || value.includes('/')) {
    throw new ZookeeperError('config-invalid', `${what}: expected the name of a node, without a slash`)
  }
  checkPath(`/${value}`, what)
  return value
}
