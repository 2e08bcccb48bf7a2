package SL::Responder;

# An OCSP responder: takes requests over HTTP and has the openssl command answer them, or misbehaves.
#
#   my $responder = SL::Responder->new(certs => $certs, ca => 'client-ca');   port => N takes that port
#   $responder->url  ->port      ->mode('...')     what it does from now on:
#       ok          answers as the CA knows it, with a nextUpdate in an hour
#       no-end      the same without nextUpdate
#       badsig      a damaged signature        stranger   signed by another CA ('other-ca')
#       other       about another certificate: ->other_is($cert)
#       try-later   a responder's error        status-500, redirect, garbage, huge, empty
#       silent      takes the request and says nothing until the mode is another one
#   $responder->asked                 how many requests it got so far;  ->requests: their first lines
#   $responder->stop  ->go_on         no longer there; there again, on the same port
#   $responder->answer($cert)         a file with an answer, made without a network

use strict;
use warnings;
use IO::Socket::IP;
use POSIX ();
use Socket qw(SOCK_STREAM);
use Time::HiRes ();
use SL::Command qw(free_port run scratch_dir slurp spew stop_process);

sub new {
    my ($class, %o) = @_;
    my $self = bless { ca => 'ca', ip => '127.0.0.1', dir => scratch_dir('sl-responder'), %o }, $class;
    $self->{port} ||= free_port();
    $self->{certs}->ca($self->{ca});
    $self->{certs}->ca('other-ca');
    spew("$self->{dir}/asked", '');
    $self->mode('ok');
    $self->go_on;
    return $self;
}

sub port { return $_[0]{port} }
sub url  { my ($self) = @_; return "http://$self->{ip}:$self->{port}/ocsp" }

sub mode {
    my ($self, $mode) = @_;
    spew("$self->{dir}/mode.new", $mode);
    rename "$self->{dir}/mode.new", "$self->{dir}/mode" or die $!;
    return $self;
}

sub requests { my ($self) = @_; return split /\n/, slurp("$self->{dir}/asked") }
sub asked { my ($self) = @_; return scalar(my @lines = $self->requests) }

sub other_is {
    my ($self, $cert) = @_;
    $self->{other} = "$self->{dir}/other.der";
    $self->openssl('-cert', $cert, '-no_nonce', '-reqout', $self->{other});
    return $self;
}

sub openssl {
    my ($self, @args) = @_;
    my $ca = "$self->{certs}{dir}/$self->{ca}.crt";
    my $r  = run(['openssl', 'ocsp', '-issuer', $ca, @args], timeout => 60, env => { LD_PRELOAD => undef });
    die "openssl ocsp @args: $r->{err}$r->{out}" if $r->{status};
    return;
}

# The CA's list as it stands: signing replaces it by two renames, between which there is none.
sub index_file {
    my ($self) = @_;
    my $index = "$self->{certs}{dir}/$self->{ca}/index.txt";
    my $list;
    for (1 .. 1000) {
        last if open $list, '<', $index;
        select undef, undef, undef, 0.01;
    }
    spew("$self->{dir}/index.$$.attr", "unique_subject = no\n");
    return spew("$self->{dir}/index.$$", do { local $/ = undef; <$list> } // '');
}

# Answers the request in a file by a file.
sub respond {
    my ($self, $request, $answer, $mode) = @_;
    my $dir    = $self->{certs}{dir};
    my $signer = $mode eq 'stranger' ? 'other-ca' : $self->{ca};
    my $r      = run(
        [   qw(openssl ocsp -index), $self->index_file, '-CA', "$dir/$self->{ca}.crt", '-rsigner',
            "$dir/$signer.crt", '-rkey', "$dir/$signer.key", '-reqin', $request, '-respout', $answer,
            ($mode eq 'no-end' ? () : ('-nmin', 60)), ($mode eq 'badsig' ? '-badsig' : ())
        ],
        timeout => 60,
        env     => { LD_PRELOAD => undef }
    );
    die "openssl ocsp: $r->{err}$r->{out}" unless -s $answer;
    return slurp($answer);
}

sub answer {
    my ($self, $cert, $mode) = @_;
    my $file = "$self->{dir}/answer";
    $self->openssl('-cert', $cert, '-no_nonce', '-reqout', "$file.req");
    return $self->respond("$file.req", $file, $mode || 'ok');
}

sub read_request {
    my ($client) = @_;
    my $head = '';
    until ($head =~ /\r\n\r\n/) { sysread($client, $head, 4096, length $head) or return }
    my ($length) = $head =~ /^Content-Length: *(\d+)/mi;
    my ($first, $body) = $head =~ /^([^\r]*).*?\r\n\r\n(.*)$/s;
    while (length $body < $length) { sysread($client, $body, 4096, length $body) or return }
    return ($first, $body);
}

sub send_answer {
    my ($client, $status, $body, @more) = @_;
    my $all = join("\r\n", "HTTP/1.1 $status", 'Content-Type: application/ocsp-response', 'Connection: close',
        'Content-Length: ' . length $body, @more, '', '') . $body;
    while (length $all) {
        my $n = syswrite($client, $all, 65536) or return;
        substr($all, 0, $n) = '';
    }
    return;
}

sub serve {
    my ($self, $client) = @_;
    my ($first, $body) = read_request($client) or return;
    open my $asked, '>>', "$self->{dir}/asked" or die $!;
    syswrite $asked, "$first\n";
    my $mode = slurp("$self->{dir}/mode");
    while ($mode eq 'silent') {
        my $bits = '';
        vec($bits, fileno $client, 1) = 1;
        return if select $bits, undef, undef, 0.05; # it has given up
        $mode = slurp("$self->{dir}/mode");
    }
    return send_answer($client, '200 OK', "\x30\x03\x0a\x01\x03")       if $mode eq 'try-later';
    return send_answer($client, '500 Internal Server Error', 'sorry')   if $mode eq 'status-500';
    return send_answer($client, '200 OK', '<html>no OCSP here</html>')  if $mode eq 'garbage';
    return send_answer($client, '200 OK', '')                           if $mode eq 'empty';
    return send_answer($client, '200 OK', "\x30\x82" x 4_000_000)       if $mode eq 'huge';
    return send_answer($client, '302 Found', '', "Location: http://$self->{ip}:$self->{port}/elsewhere")
        if $mode eq 'redirect';
    my $file = "$self->{dir}/request.$$";
    spew($file, $body);
    return send_answer($client, '200 OK', $self->respond($mode eq 'other' ? "$self->{dir}/other.der" : $file, "$file.der", $mode));
}

sub go_on {
    my ($self) = @_;
    my $listener = IO::Socket::IP->new(LocalHost => $self->{ip}, LocalPort => $self->{port}, Type => SOCK_STREAM,
        Listen => 64, ReuseAddr => 1) or die "listen on $self->{port}: $@";
    my $pid = fork;
    die "fork: $!" unless defined $pid;
    if (!$pid) {
        $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP CHLD);
        $SIG{PIPE} = 'IGNORE';
        POSIX::setpgid(0, 0);
        while (1) {
            1 while waitpid(-1, POSIX::WNOHANG()) > 0;
            my $client = $listener->accept or next;
            next if fork;
            eval { $self->serve($client); 1 } or print STDERR "responder: $@";
            POSIX::_exit(0);
        }
    }
    @$self{qw(pid owner)} = ($pid, $$);
    return $self;
}

sub stop {
    my ($self) = @_;
    stop_process(delete $self->{pid}, timeout => 5) if $self->{pid};
    return $self;
}

sub DESTROY { my ($self) = @_; local ($?, $!, $@); $self->stop if $self->{owner} && $$ == $self->{owner} }

1;
