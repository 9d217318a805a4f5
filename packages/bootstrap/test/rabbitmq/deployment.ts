import type { RabbitDeployment } from '../../src/rabbitmq/model.ts'

/** A place that no machine decided. */
export const deployment: RabbitDeployment = {
  lab: 'shop',
  folder: '/labs/shop',
  firstPort: 21_000,
  network: { kind: 'loopback' },
  installation: {
    version: '3.10.8',
    home: '/opt/rabbit',
    plugins: [
      'cuttlefish-3',
      'rabbit-3.10.8',
      'rabbit_common-3.10.8',
      'rabbitmq_management-3',
      'rabbitmq_prelaunch-3',
    ],
    erlangBin: '/opt/erlang/bin',
    epmd: '/opt/erlang/bin/epmd',
    erlCall: '/opt/erlang/bin/erl_call',
  },
}

/** The same place with another version installed. */
export function placeWith(version: string): RabbitDeployment {
  return { ...deployment, installation: { ...deployment.installation, version } }
}
