import type { PlannedFile } from '../model/plan.ts'
import type { RabbitModel } from './model.ts'

/**
 * A server home of the lab's own, made of links, without the optional plugins. Erlang searches every plugin folder
 * for every module: on 2 cores a node of 3.10.8 boots in 2.5 s and 2.1 s of CPU with these links, in 3.9 s and 3.4 s
 * with the installation as it is.
 */
export function serverHome(model: RabbitModel): readonly PlannedFile[] {
  const { home, plugins } = model.deployment.installation
  const needed = plugins.filter((plugin) => !/^rabbitmq_(?!prelaunch)/.test(plugin))
  return [
    ...['sbin', 'escript'].map((folder) => link(`server/${folder}`, `${home}/${folder}`)),
    ...needed.map((plugin) => link(`server/plugins/${plugin}`, `${home}/plugins/${plugin}`)),
  ]
}

function link(path: string, target: string): PlannedFile {
  return { path, mode: 0o777, secret: false, content: { kind: 'link', target } }
}
