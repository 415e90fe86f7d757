import { askHaproxy } from "./haproxy-socket.ts";

/** Which services are held, and until when: seconds since the epoch, by name. haproxy reads it once; the rest is told to it. */
export const holdMap = "/etc/haproxy/chime-node-held.map";
export const holdMapText = "# Written by chime-node: nothing is held when haproxy starts.\n";

export const holdScript = "/etc/haproxy/chime-node-hold.lua";

/** That a hold ends by itself is haproxy's own to see to: whoever asked for it may be gone. */
export const holdScriptText = `-- Written by chime-node: requests wait while their service is held.
local held = Map.new("${holdMap}", Map._str)
core.register_action("chime_hold", { "http-req" }, function(_, service)
  while (tonumber(held:lookup(service)) or 0) > core.now().sec do
    core.msleep(20)
  end
end, 1)
`;

/** In a frontend, after what makes up its mind about the request. */
export const holdRule = (service: string): string =>
  `    http-request lua.chime_hold ${service} if { str(${service}),map(${holdMap}) -m found }`;

/** Has requests of a service that come from now on wait, for so long at most; those under way go on. */
export async function hold(service: string, seconds: number, nowMs: number, socket?: string): Promise<void> {
  const until = Math.ceil(nowMs / 1000) + seconds;
  await askHaproxy(`del map ${holdMap} ${service}; add map ${holdMap} ${service} ${until}`, socket);
}

/** Lets those that wait go on. */
export async function release(service: string, socket?: string): Promise<void> {
  await askHaproxy(`del map ${holdMap} ${service}`, socket);
}
