export const shutdownScript = "/etc/haproxy/chime-node-shutdown.lua";

/**
 * What `on-marked-down shutdown-sessions` does, a second later: at that very moment it also ends requests that are just being
 * connected to the server and would be answered by another one (`timeout connect`, `option redispatch`). After a second
 * nobody is connecting to it any more.
 */
export const shutdownScriptText = `-- Written by chime-node: whoever waits at a server that is out is told so.
local since = {}
core.register_task(function()
  while true do
    local time = core.now()
    local now = time.sec + time.usec / 1000000
    for backend, proxy in pairs(core.backends) do
      for name, server in pairs(proxy.servers) do
        local id = backend .. "/" .. name
        local stats = server:get_stats()
        if string.sub(stats.status, 1, 4) ~= "DOWN" then
          since[id] = nil
        elseif since[id] == nil then
          since[id] = now
        elseif now - since[id] >= 1 and tonumber(stats.scur) > 0 then
          server:shut_sess()
        end
      end
    end
    core.msleep(250)
  end
end)
`;
