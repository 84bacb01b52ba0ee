# shellcheck shell=bash
# The small commands: run, shell, demo, build, clean.

# Options of run and shell, which set B_*; the rest goes to REST.
run_options() {
	REST=()
	while (($# > 0)); do
		case $1 in
		--icount) B_ICOUNT=1 ;;
		--numa) B_NUMA=1 ;;
		--qemu) B_QEMU=1 ;;
		--)
			shift
			REST=("$@")
			return
			;;
		--cpus | --mem | --append | --modules | --timeout | --name)
			(($# > 1)) || die "$1 needs a value"
			run_option "$1" "$2"
			shift
			;;
		*) die "unknown option: $1 (./lab help lists them)" ;;
		esac
		shift
	done
}

run_option() {
	case $1 in
	--append) B_APPEND=$2 ;;
	--name) B_NAME=$2 ;;
	--modules)
		B_MODULES=$2
		[[ $2 != none ]] || B_MODULES=
		;;
	*)
		[[ $2 =~ ^[1-9][0-9]*$ ]] || die "$1 needs a positive number, not '$2'"
		case $1 in
		--cpus) B_CPUS=$2 ;;
		--mem) B_MEM=$2 ;;
		--timeout) B_TIMEOUT=$2 ;;
		esac
		;;
	esac
}

lab_run() {
	(($# >= 2)) || die "usage: ./lab run HOST KERNEL [OPTION...] -- CMD..."
	boot_defaults "$1" "$2"
	shift 2
	run_options "$@"
	((${#REST[@]} > 0)) || die "what shall run there? ./lab run HOST KERNEL -- CMD..."
	packages_need
	build_all "$B_KERNEL" "$B_MODULES"
	boot_run "${REST[@]}"
}

lab_shell() {
	(($# >= 1)) || die "usage: ./lab shell HOST [KERNEL] [OPTION...]"
	local host=$1 kernel=6.12
	shift
	if [[ ${1:-} == [0-9]* ]]; then
		kernel=$1
		shift
	fi
	boot_defaults "$host" "$kernel"
	B_NAME=shell
	run_options "$@"
	packages_need
	build_all "$B_KERNEL" "$B_MODULES"
	boot_shell
}

lab_demo() {
	local host=svm kernel=6.12
	while (($# > 0)); do
		case $1 in
		--host) host=${2:?--host needs a value} ;;
		--kernel) kernel=${2:?--kernel needs a value} ;;
		*) die "unknown option: $1 (./lab help lists them)" ;;
		esac
		shift 2
	done
	boot_defaults "$host" "$kernel"
	B_NAME=demo B_CPUS=$(demo_cpus) B_MEM=1024
	packages_need
	say "The demo: a $host host with Debian's kernel $kernel and our modules."
	build_all "$B_KERNEL" "$B_MODULES"
	boot_run sh -c 'cd /tests && if [ -e ksm_demo ]; then exec ./ksm_demo; else exec ./ksm_demo.sh; fi'
}

# Bochs gets slower with each CPU.
demo_cpus() {
	[[ $B_HOST == svm ]] && echo 2 || echo 1
}

lab_build() {
	local series
	packages_need
	for series in "${@:-${KERNELS[@]}}"; do
		build_all "$series" "$(modules_present)"
		say "built for $K_RELEASE"
	done
}

lab_clean() {
	rm -rf "$OUT"
	[[ ${1:-} != --cache ]] || rm -rf "$CACHE"
}
