# SPDX-License-Identifier: GPL-2.0
# bash completion for kvmlitectl

_kvmlitectl() {
	local cur prev words cword i command=
	_init_completion -n = || return

	for ((i = 1; i < cword; i++)); do
		if [[ ${words[i]} != -* ]]; then
			command=${words[i]}
			break
		fi
	done

	case $command in
	'')
		mapfile -t COMPREPLY < <(compgen -W "check load unload status
			vms stats exec metrics --json --help --version" -- "$cur")
		;;
	check | status | vms)
		mapfile -t COMPREPLY < <(compgen -W "--json --help" -- "$cur")
		;;
	load)
		mapfile -t COMPREPLY < <(compgen -W "kvmlite ksmdev
			kvmlite.lazy_fpu=0 kvmlite.lazy_fpu=1 --json --help" \
			-- "$cur")
		;;
	unload)
		mapfile -t COMPREPLY < <(compgen -W "kvmlite ksmdev --json
			--help" -- "$cur")
		;;
	stats)
		case $prev in
		--vm | -p)
			mapfile -t COMPREPLY < <(compgen -W "$(kvmlitectl vms \
				2>/dev/null | awk 'NR > 1 { print $1 }')" -- "$cur")
			;;
		--interval | -s) ;;
		*)
			mapfile -t COMPREPLY < <(compgen -W "--once --interval
				--vm --json --help" -- "$cur")
			;;
		esac
		;;
	metrics)
		case $prev in
		--output | -o) _filedir ;;
		*)
			mapfile -t COMPREPLY < <(compgen -W "--output --help" \
				-- "$cur")
			;;
		esac
		;;
	exec)
		if [[ $prev == exec && $cur == -* ]]; then
			mapfile -t COMPREPLY < <(compgen -W "--user --help --" \
				-- "$cur")
			return
		fi
		while [[ ${words[i + 1]} == -* && $((i + 1)) -lt $cword ]]; do
			((i++))
		done
		_command_offset $((i + 1))
		;;
	esac
} &&
	complete -F _kvmlitectl kvmlitectl
