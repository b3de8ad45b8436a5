"""A Slurm cluster on this machine: munge, slurmctld and three slurmd, all of the user of the tests."""

import getpass
import os
import secrets
import socket
import subprocess
from pathlib import Path

from .waiting import wait_for

NODES = ("n1", "n2", "n3")
CONFIG = """
ClusterName=tests
SlurmctldHost={host}
SlurmctldPort={ctld}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={directory}/munge.socket
CredType=cred/munge
StateSaveLocation={directory}/state
SlurmctldPidFile={directory}/slurmctld.pid
SlurmdPidFile={directory}/slurmd-%n.pid
SlurmdSpoolDir={directory}/spool-%n
SlurmctldLogFile={directory}/slurmctld.log
SlurmdLogFile={directory}/slurmd-%n.log
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=1,batch_sched_delay=0,sched_min_interval=0
MpiDefault=none
ReturnToService=2
SwitchType=switch/none
MinJobAge={min_job_age}
KillWait=1
InactiveLimit=0
Waittime=0
SlurmctldTimeout=30
SlurmdTimeout=60
MaxJobCount=20000
{nodes}
PartitionName=short Nodes=n[1-3] Default=YES MaxTime=INFINITE State=UP OverSubscribe=NO
PartitionName=long Nodes=n[1-3] MaxTime=INFINITE State=UP
"""


def free_port() -> int:
    """Return a port of loopback that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def version() -> tuple[int, ...]:
    """Return that of the slurmd that is installed."""
    said = subprocess.run(["/usr/sbin/slurmd", "-V"], capture_output=True, text=True, check=True).stdout
    return tuple(map(int, said.split()[-1].split(".")))


class Slurm:
    """The cluster, with its programs as children of this process."""

    def __init__(self, directory: Path, cpus: int = 4, min_job_age: int = 2) -> None:
        """Start it; MinJobAge is short, so that Slurm soon forgets what has ended."""
        self.directory = directory
        self.config = directory / "slurm.conf"
        self.environment = {"SLURM_CONF": str(self.config)}
        for name in ("state", *(f"spool-{node}" for node in NODES)):
            (directory / name).mkdir(parents=True)
        nodes = "\n".join(
            f"NodeName={node} NodeHostname={socket.gethostname()} NodeAddr=127.0.0.1 Port={free_port()} CPUs={cpus} State=UNKNOWN"
            for node in NODES
        )
        self.config.write_text(
            CONFIG.format(
                host=f"{socket.gethostname()}(127.0.0.1)",
                ctld=free_port(),
                user=getpass.getuser(),
                directory=directory,
                min_job_age=min_job_age,
                nodes=nodes,
            )
        )
        # Later ones would have cgroups of their own, which need root; earlier ones do not know the word.
        if version() >= (23, 11):
            (directory / "cgroup.conf").write_text("CgroupPlugin=disabled\n")
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        try:
            self._start_all()
        except BaseException:
            self.stop()
            raise

    def run(self, *command: str) -> str:
        """Return what one of Slurm's commands prints, "" if it fails."""
        done = subprocess.run(
            command, env={**os.environ, **self.environment}, capture_output=True, text=True, check=False
        )
        return done.stdout if done.returncode == 0 else ""

    def start_ctld(self) -> None:
        """Start slurmctld."""
        self._start("slurmctld", "/usr/sbin/slurmctld", "-D", "-f", str(self.config))

    def stop_ctld(self) -> None:
        """Let slurmctld end: it saves its state."""
        process = self._processes.pop("slurmctld")
        process.terminate()
        process.wait()

    def kill_ctld(self) -> None:
        """Kill slurmctld: it forgets the jobs of its last seconds."""
        self._kill("slurmctld")

    def resume(self, engine_dir: Path | None = None) -> None:
        """Do what an administrator does after slurmctld was killed.

        It drains nodes when it has given a number twice. It takes jobs for running as it has forgotten their end, or as a node
        has refused to start them, which still had a job of that number.
        """
        for node in NODES:
            self.run("scontrol", "update", f"nodename={node}", "state=resume")
        if engine_dir is None:
            return
        for line in self.run("squeue", "-h", "-t", "running", "-o", "%i %j %M").splitlines():
            job, name, time = line.split()
            refused = not time.startswith("0:") and not (engine_dir / f"{name}.started").exists()
            if refused or (engine_dir / name / "exit").exists():
                self.run("scancel", job)

    def start_node(self, node: str) -> None:
        """Start a slurmd."""
        self._start(node, "/usr/sbin/slurmd", "-D", "-N", node, "-f", str(self.config))

    def stop(self) -> None:
        """Cancel all jobs, and end the programs."""
        self.run("scancel", "--signal=KILL", "--full", f"--user={getpass.getuser()}")
        for name in reversed(list(self._processes)):
            self._kill(name)

    def _start_all(self) -> None:
        self._start_munge()
        self.start_ctld()
        for node in NODES:
            self.start_node(node)
        wait_for(
            lambda: set(self.run("sinfo", "-hNo", "%t").split()) == {"idle"}, what="idle nodes", every=0.1
        )

    def _start_munge(self) -> None:
        key = self.directory / "munge.key"
        key.write_bytes(secrets.token_bytes(1024))
        key.chmod(0o600)
        self._start(
            "munge",
            *("/usr/sbin/munged", "--foreground", "--force", f"--socket={self.directory}/munge.socket"),
            *(f"--key-file={key}", f"--pid-file={self.directory}/munged.pid"),
            *(f"--log-file={self.directory}/munged.log", f"--seed-file={self.directory}/munged.seed"),
        )
        wait_for((self.directory / "munge.socket").exists, what="munge")

    def _start(self, name: str, *command: str) -> None:
        with (self.directory / f"{name}.out").open("ab") as log:
            self._processes[name] = subprocess.Popen(
                command,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                env={**os.environ, **self.environment},
            )

    def _kill(self, name: str) -> None:
        process = self._processes.pop(name)
        process.kill()
        process.wait()
