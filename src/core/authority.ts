/** `192.168.231.11:8820`, `[fd00::1]:8820`: an address and a port as URLs have them (RFC 3986 §3.2). */
export function authority(address: string, port: number): string {
  return `${address.includes(":") ? `[${address}]` : address}:${port}`;
}
