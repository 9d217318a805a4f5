import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.retry.ExponentialBackoffRetry;
import org.apache.curator.x.discovery.ServiceDiscovery;
import org.apache.curator.x.discovery.ServiceDiscoveryBuilder;
import org.apache.curator.x.discovery.ServiceInstance;
import org.apache.curator.x.discovery.ServiceProvider;
import org.apache.curator.x.discovery.UriSpec;
import org.springframework.cloud.zookeeper.discovery.ZookeeperInstance;

/**
 * A peer in Java that uses service discovery as it comes. Arguments: connect string, base path, name of the service, and
 * `plain` or `spring` for the kind of payload. It reads commands, one a line, and answers each with one line of JSON:
 * `list`, `pick`, `register ID PORT`, `unregister`; the end of the input ends it.
 */
public final class CuratorPeer<T> {
    private final ObjectMapper json = new ObjectMapper();
    private final ServiceDiscovery<T> discovery;
    private final String service;
    private final PayloadMaker<T> payloads;
    private ServiceInstance<T> own;

    interface PayloadMaker<T> {
        T make(String id, String service);
    }

    private CuratorPeer(ServiceDiscovery<T> discovery, String service, PayloadMaker<T> payloads) {
        this.discovery = discovery;
        this.service = service;
        this.payloads = payloads;
    }

    public static void main(String[] args) throws Exception {
        try (CuratorFramework client =
                CuratorFrameworkFactory.newClient(args[0], 10_000, 5_000, new ExponentialBackoffRetry(100, 5))) {
            client.start();
            if (args[3].equals("spring")) {
                serve(client, args, ZookeeperInstance.class, (id, service) ->
                        new ZookeeperInstance(id, service, Map.of("zone", "java")));
            } else {
                serve(client, args, Object.class, (id, service) -> new LinkedHashMap<>(Map.of("weight", 2)));
            }
        }
    }

    private static <T> void serve(
            CuratorFramework client, String[] args, Class<T> payloadClass, PayloadMaker<T> payloads) throws Exception {
        try (ServiceDiscovery<T> discovery =
                ServiceDiscoveryBuilder.builder(payloadClass).client(client).basePath(args[1]).build()) {
            discovery.start();
            new CuratorPeer<>(discovery, args[2], payloads).obey();
        }
    }

    private void obey() throws Exception {
        BufferedReader input = new BufferedReader(new InputStreamReader(System.in));
        for (String line = input.readLine(); line != null; line = input.readLine()) {
            Object answer;
            try {
                answer = answer(line.split(" "));
            } catch (Exception thrown) {
                answer = Map.of("failed", String.valueOf(thrown));
            }
            System.out.println(json.writeValueAsString(answer));
        }
    }

    private Object answer(String[] command) throws Exception {
        switch (command[0]) {
            case "list":
                List<Object> all = new ArrayList<>();
                for (ServiceInstance<T> instance : discovery.queryForInstances(service)) {
                    all.add(described(instance));
                }
                return all;
            case "pick":
                try (ServiceProvider<T> provider =
                        discovery.serviceProviderBuilder().serviceName(service).build()) {
                    provider.start();
                    ServiceInstance<T> picked = provider.getInstance();
                    return picked == null ? Map.of() : described(picked);
                }
            case "register":
                own = ServiceInstance.<T>builder()
                        .name(service)
                        .id(command[1])
                        .address("10.9.9.9")
                        .port(Integer.parseInt(command[2]))
                        .payload(payloads.make(command[1], service))
                        .uriSpec(new UriSpec("{scheme}://{address}:{port}"))
                        .build();
                discovery.registerService(own);
                return true;
            case "unregister":
                discovery.unregisterService(own);
                return true;
            default:
                throw new IllegalArgumentException(command[0]);
        }
    }

    private Map<String, Object> described(ServiceInstance<T> instance) {
        Map<String, Object> fields = new LinkedHashMap<>();
        fields.put("id", instance.getId());
        fields.put("address", instance.getAddress());
        fields.put("port", instance.getPort());
        fields.put("enabled", instance.isEnabled());
        fields.put("uri", instance.buildUriSpec());
        fields.put("payload", instance.getPayload());
        return fields;
    }
}
