/** kubeadm-style: the name is the key to `--ignore` it. */
export interface Check {
  name: string;
  /** It is about what cluster.toml says, and worth telling when that is written. */
  isOfSpec?: true;
  /** It asks the network, which may take a second or more. */
  asksNetwork?: true;
  run(): Promise<Finding | undefined>;
}

export interface Finding {
  /** `ok`: nothing is wrong, and there is something to know; it has no remedy. */
  severity: "error" | "warning" | "ok";
  message: string;
  remedy: string;
}
